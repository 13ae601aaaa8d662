"""The pages: HTML made on the server, kept live by streams of its parts. They decide nothing: each
form asks what the API's route would ask.
"""
