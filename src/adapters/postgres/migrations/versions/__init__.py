"""One file for each revision; a revision that was released is never changed.

An id such as `0003_for_0002` says which code works on that schema: whoever knows `0002`. It expands
(what old code knows stays), or it contracts: then the second number rises to that of the revision
with which the code stopped to need what is taken away. docs/decisions/schema-changes.md has the
rules.
"""
