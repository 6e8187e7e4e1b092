"""Answers to ``Check`` that let a request pass, as bytes.

Most of such an answer follows from the tenant's decision, and putting its messages together costs
more than everything else that ``Check`` does. So that part is kept as bytes, and what changes from
request to request is appended: a message's bytes after another's are both messages merged
(https://protobuf.dev/programming-guides/encoding/#last-one-wins), repeated fields one behind the
other.
"""

from __future__ import annotations

from typing import Any

from flyball.enforcement.counters import REQUEST_METER, Key
from flyball.enforcement.terms import Terms
from serving.envoy import messages_pb2 as pb
from serving.envoy.dialect import metadata_of, overwriting
from serving.forward_auth.endpoint import decision_fields
from serving.pace import Field, Paced, pace_of
from serving.shared_counters import Place, SharedCounters
from serving.terms_book import Decided

Fields = list[tuple[str, str]]


class Passing:
    """What is the same for all answers that let a tenant's requests pass.

    ``told`` is the whole answer where nothing is counted, and the beginning of every other.
    """

    __slots__ = ("_decided", "_paced", "_place", "pace", "terms", "told")

    def __init__(self, terms: Terms, decided: Decided) -> None:
        self.terms = terms
        self._decided = decided
        self._place: Place | None = None
        self.pace = pace_of(terms)
        self.told = passes(decision_fields(decided), self.metadata)
        self._paced = self.told
        if self.pace is not None:
            fixed = [self.pace.policy_field, self.pace.limit_field]
            self._paced += limits(_text(fixed))

    @property
    def metadata(self) -> dict[str, Any]:
        """What other filters are told."""
        return metadata_of(self.terms, self._decided)

    def place(self, counters: SharedCounters) -> Place:
        """Where the counter of the tenant's requests is."""
        if self._place is None:
            key: Key = (self.terms.tenant_id, REQUEST_METER, "")
            self._place = counters.place_of(key)
        return self._place

    def after(self, paced: Paced) -> bytes:
        """The answer to a request that was counted at its pace."""
        pace = self.pace
        assert pace is not None
        fixed = (pace.policy_field, pace.limit_field)
        moving = [field for field in paced.fields if field not in fixed]
        return self._paced + limits(_text(moving))


def passes(fields: Fields, metadata: dict[str, Any]) -> bytes:
    """Let a request pass, with fields for the service behind and metadata for other filters."""
    response = pb.CheckResponse(
        status=pb.Status(code=0), ok_response=pb.OkHttpResponse(headers=overwriting(fields))
    )
    response.dynamic_metadata.update(metadata)
    answer: bytes = response.SerializeToString()
    return answer


def limits(told: Fields) -> bytes:
    """What is appended so that the client learns where it stands."""
    said = pb.OkHttpResponse(response_headers_to_add=overwriting(told))
    answer: bytes = pb.CheckResponse(ok_response=said).SerializeToString()
    return answer


def _text(fields: list[Field]) -> Fields:
    return [(name.decode(), value.decode()) for name, value in fields]
