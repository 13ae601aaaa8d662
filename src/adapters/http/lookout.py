"""What open pages and streams watch, kept in sight: looked at once for all who watch it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic
from uuid import UUID

from adapters.http.sights import MOST_VERSIONS, Handed, Portion, Sight, Stream
from adapters.http.story import tell_streams
from domain.ports import Database, UnitOfWork, Watcher
from domain.reach import made_between, reach_now
from domain.records import Reach
from domain.views import View, touched

ROUND_SECONDS = 0.2
"""Between two rounds, at least: what changes faster is seen once."""

REST = 4
"""A view is not looked at again before so many times as long as its last look took: a tally of a
million bets must not keep the database from writing them."""

SLOW_SECONDS = 0.05
"""Whoever waits for the others is handed theirs before a look that took so long last time."""


class Lookout:
    """Keeps in sight what the streams watch. One thread's own."""

    def __init__(
        self,
        database: Database,
        watcher: Watcher,
        hand_out: Callable[[Sequence[Handed]], None],
    ) -> None:
        self._database = database
        self._watcher = watcher
        self._hand_out = hand_out
        self._seen: dict[View, Sight] = {}
        """What is in sight, as it was last looked at."""
        self._untold: set[View] = set()
        """Seen anew, and not handed out yet."""
        self._dirty: set[View] = set()
        """To be looked at again."""
        self._took: dict[View, float] = {}
        """Seconds of the last look."""
        self._not_before: dict[View, float] = {}
        self._changed: set[UUID] | None = set()
        """Events that changed since the last round; None: any may have."""
        self._last_round = 0.0
        self.stepped_at = monotonic()
        """When it last began to ask, or to hear: others may see by it that there is no answer."""

    def turn(self, open_streams: Callable[[], Sequence[Stream]]) -> None:
        """Hear, and look if there is reason to."""
        self._hear(self._patience())
        streams = open_streams()
        if not streams:
            # Nobody watches, so nobody looks; who comes is told from then on.
            self._keep(set())
            self._changed = set()
        elif self._has_work(streams):
            while (left := self._last_round + ROUND_SECONDS - monotonic()) > 0:
                self._hear(left)
            self._last_round = monotonic()
            self._round(streams)

    def has_failed(self) -> None:
        """Nothing that was heard is known to have been looked at."""
        self._changed = None

    def _has_work(self, streams: Sequence[Stream]) -> bool:
        is_touched = self._changed is None or bool(self._changed)
        return is_touched or bool(self._dirty) or any(each.is_new for each in streams)

    def _hear(self, timeout: float) -> None:
        self.stepped_at = monotonic()
        heard = self._watcher.wait(timeout)
        if heard is None or self._changed is None:
            self._changed = None
        else:
            self._changed |= heard

    def _patience(self) -> float:
        """Seconds until there is something to do if nothing is heard."""
        if self._changed is None:
            return 0.0
        due = (self._not_before.get(view, 0) - monotonic() for view in self._dirty)
        return max(min(due, default=1.0), 0.0)

    def _keep(self, wanted: Collection[View]) -> None:
        """Forget the views that nobody watches any more."""
        for kept in (self._seen, self._took, self._not_before):
            for gone in kept.keys() - set(wanted):
                del kept[gone]
        self._dirty &= set(wanted)
        self._untold &= set(wanted)

    def _round(self, streams: Sequence[Stream]) -> None:
        """Look at what is touched; whoever waits for it is handed it, the quick views first."""
        wanted = {view for stream in streams for view in stream.views}
        self._keep(wanted)
        self.stepped_at = monotonic()
        with self._database.transaction() as uow:
            reach = reach_now(uow)
            made = self._made(uow, streams, reach)
            if self._changed is None:
                self._dirty = set(wanted)
            else:
                seen = {view: sight.value for view, sight in self._seen.items()}
                self._dirty |= set(touched(uow, seen, self._changed))
            self._changed = set()
            now = monotonic()
            due = {view for view in self._dirty if self._not_before.get(view, 0) <= now}
            due |= wanted - self._seen.keys()
            for view in sorted(due, key=lambda each: self._took.get(each, 0)):
                if self._untold and self._took.get(view, 0) > SLOW_SECONDS:
                    self._tell(streams, made, reach)
                self._look(uow, view)
        self._tell(streams, made, reach)

    def _look(self, uow: UnitOfWork, view: View) -> None:
        self.stepped_at = began = monotonic()
        sight = Sight(view.look(uow))
        now = monotonic()
        self._took[view], self._not_before[view] = now - began, now + REST * (now - began)
        self._dirty.discard(view)
        before = self._seen.get(view)
        if before is None or before.value != sight.value:
            self._seen[view] = sight
            self._untold.add(view)

    def _tell(
        self, streams: Sequence[Stream], made: Mapping[Stream, Portion], reach: Reach | None
    ) -> None:
        """Hand out what is new: versions only once. A new stream waits until all is looked at."""
        portions: list[Handed] = []
        for stream in streams:
            if stream.is_new and not self._seen.keys() >= set(stream.views):
                continue
            news = [view for view in stream.views if stream.is_new or view in self._untold]
            portion = made[stream] if stream.since != reach or stream.is_new else Portion(reach)
            sights = {view: self._seen[view] for view in news}
            portions.append((stream, portion._replace(sights=sights), stream.is_new))
            stream.since, stream.is_new = reach, False
        self._untold.clear()
        self._hand_out(portions)
        # Who comes (back) is told what others were told before.
        tell_streams((s.event_id, p.versions) for s, p, is_first in portions if not is_first)

    def _made(
        self, uow: UnitOfWork, streams: Sequence[Stream], reach: Reach | None
    ) -> Mapping[Stream, Portion]:
        """The versions that are new to each stream. All who are up to date share one question."""
        answers: dict[object, Portion] = {}
        found: dict[Stream, Portion] = {}
        for stream in streams:
            key = stream.since, stream.is_new, stream.event_id if stream.is_new else None
            if key not in answers:
                answers[key] = _made(uow, stream, reach, only=stream.is_new)
            if answers[key].is_gap and not stream.is_new and stream.event_id is not None:
                key = stream.since, True, stream.event_id
                if key not in answers:
                    answers[key] = _made(uow, stream, reach, only=True)
            found[stream] = answers[key]
        return found


def _made(uow: UnitOfWork, stream: Stream, reach: Reach | None, *, only: bool) -> Portion:
    """The versions made since a stream was last told: `only` of its event, or of all."""
    since = stream.since
    if reach is None or (since is None and stream.is_new):
        return Portion(reach)
    since = since or Reach(reach.log_id, (0,) * len(reach.next_offsets))
    event_id = stream.event_id if only else None
    versions = made_between(uow, since, reach, event_id=event_id, most=MOST_VERSIONS)
    return Portion(reach, versions or [], versions is None)
