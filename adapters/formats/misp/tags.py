"""Reads the tags and galaxy clusters of a MISP event: markings, techniques, malware, clusters of actors, confidence, drill or test.

Sources: the MISP taxonomies tlp, PAP, exercise, rsit, admiralty-scale, estimative-language; the MISP galaxies of ATT&CK and DISARM.
"""

import re
from collections.abc import Iterable
from typing import Final

from adapters.translation.gathering import at_most
from adapters.translation.markings import Mark, marks_in_words, read_mark
from adapters.translation.prose import one_line
from adapters.translation.reading import Losses, slug
from adapters.translation.threats import TECHNIQUE, is_machine_tag
from schemas.observables import holds_email
from schemas.parts import Actor, Attribution, Confidence, Ttp
from schemas.vocab import AttributionLevel, Certainty, Status

__all__ = ["TagReader"]

MAX_TTPS: Final = 100
MAX_TAG_CHARS: Final = 400
MAX_MALWARE: Final = 20
MAX_ACTORS: Final = 20
MAX_LABELS: Final = 32
MAX_CLASSIFICATIONS: Final = 10

_CLASSIFICATION: Final = re.compile(r"[a-z-]{3,40}:[a-z0-9-]{2,48}")
_MACHINE: Final = re.compile(r'([\w-]+):([^=]+?)(?:="([^"]*)")?\s*$')
_TRAILING_ID: Final = re.compile(r"\s+-\s+([A-Z]{1,3}\d[0-9.]*)\s*$")

_MALWARE_GALAXIES: Final = frozenset(
    {
        "android", "backdoor", "banker", "botnet", "cryptominers", "exploit-kit", "malpedia", "mitre-malware", "mitre-tool",
        "ransomware", "rat", "stealer", "tds", "tool", "mitre-enterprise-attack-malware", "mitre-enterprise-attack-tool",
        "mitre-mobile-attack-malware", "mitre-mobile-attack-tool", "mitre-ics-software",
    }
)  # fmt: skip
_ACTOR_GALAXIES: Final = frozenset(
    {
        "microsoft-activity-group",
        "mitre-enterprise-attack-intrusion-set",
        "mitre-intrusion-set",
        "threat-actor",
    }
)
_FRAMEWORKS: Final = {
    "disarm-techniques": "disarm",
    "misinfosec-amitt-misinformation-pattern": "amitt",
    "mitre-atlas-attack-pattern": "atlas",
    "mitre-ics-techniques": "attack-ics",
}
_CERTAINTY: Final = {
    "almost-certain": Certainty.LIKELY,
    "very-likely": Certainty.LIKELY,
    "likely": Certainty.LIKELY,
    "roughly-even-chance": Certainty.POSSIBLE,
    "unlikely": Certainty.POSSIBLE,
    "very-unlikely": Certainty.UNLIKELY,
    "almost-no-chance": Certainty.UNLIKELY,
}


class TagReader:
    """Takes tags and clusters one by one; its attributes hold the combined result."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._labels: dict[str, None] = {}
        self._ttps: dict[tuple[str, str], Ttp] = {}
        self._malware: dict[str, None] = {}
        self._actors: dict[str, Actor] = {}
        self._classification: dict[str, None] = {}
        self._source: str | None = None
        self._credibility: int | None = None
        self._likelihood: str | None = None
        self.marks: list[Mark] = []
        self.part_marks: list[Mark] = []
        self.status = Status.ACTUAL
        self.exercise_id: str | None = None

    def tag(self, name: str, path: str, *, of_event: bool = True, travels: bool = True) -> None:
        """Reads one tag.

        Args:
            name: The tag.
            path: Its place.
            of_event: Whether it is a tag of the event; a tag of a part does not give the reliability of the whole.
            travels: Whether it may be shown to others; otherwise only its meaning for sharing, drill and test counts.

        Raises:
            FormatError: The tag is a sharing marking of unknown level, or a classification.
        """
        marks = self.marks if of_event else self.part_marks
        if mark := read_mark(name, path):
            marks.append(mark)
            return
        if limits := marks_in_words(path, name):
            marks += limits
            self._losses.add(path, "a marking in words limits sharing: read as TLP:AMBER+STRICT")
        # Searching a long tag for its parts costs more than one pass; MISP allows 255 characters.
        machine = _MACHINE.match(name) if len(name) <= MAX_TAG_CHARS else None
        if machine is not None:
            space, predicate, value = machine.groups("")
            if space == "misp-galaxy" and value and travels and self.cluster(predicate, value, (), path):
                return
            space, predicate, value = space.lower(), predicate.lower(), value.strip()
            self._purpose(space, predicate, value)
            if of_event and travels:
                self._known(space, predicate, value.lower())
        if not travels:
            self._losses.add(path, "a tag that its owner does not share")
            return
        if is_machine_tag(name) and not holds_email(name):
            self._labels.setdefault(name)
        else:
            self._losses.add(path, "a tag that is not a machine tag")

    def cluster(self, galaxy: str, value: str, external_ids: Iterable[str], path: str) -> bool:
        """Reads one galaxy cluster. Returns whether a bulletin has a field for it."""
        if framework := _framework(galaxy):
            return self._technique(framework, value, external_ids, path)
        if galaxy in _MALWARE_GALAXIES:
            self.malware(_without_id(value), path)
            return True
        if galaxy in _ACTOR_GALAXIES:
            if name := one_line(_without_id(value), path=path, losses=self._losses):
                # A tag names a cluster of behaviour; it is not a formal attribution.
                self._actors.setdefault(name, Actor(name=name, kind="unknown"))
            return True
        return False

    def malware(self, text: str, path: str) -> None:
        """Adds a malware family by its name."""
        if name := one_line(text, limit=80, path=path, losses=self._losses):
            self._malware.setdefault(name)

    # --- results

    @property
    def labels(self) -> tuple[str, ...]:
        """Machine tags without a field of their own."""
        return at_most(self._labels, MAX_LABELS, "Tag", self._losses)

    @property
    def ttps(self) -> tuple[Ttp, ...]:
        """Techniques, each once."""
        return at_most(self._ttps.values(), MAX_TTPS, "Galaxy", self._losses)

    @property
    def families(self) -> tuple[str, ...]:
        """Names of malware."""
        return at_most(self._malware, MAX_MALWARE, "Galaxy", self._losses)

    @property
    def classification(self) -> tuple[str, ...]:
        """RSIT classifications, `predicate:value`."""
        return tuple(self._classification)[:MAX_CLASSIFICATIONS]

    @property
    def attribution(self) -> Attribution | None:
        """Clusters of actors, or None."""
        actors = at_most(self._actors.values(), MAX_ACTORS, "Galaxy", self._losses)
        return Attribution(level=AttributionLevel.CLUSTER, actors=actors) if actors else None

    @property
    def confidence(self) -> Confidence:
        """The confidence from Admiralty and ICD 203 tags; credibility 6 (cannot be judged) without such tags."""
        return Confidence(
            source=self._source, credibility=self._credibility or 6, likelihood=self._likelihood
        )

    @property
    def certainty(self) -> Certainty:
        """The CAP certainty for the likelihood."""
        return _CERTAINTY.get(self._likelihood or "", Certainty.UNKNOWN)

    # --- single taxonomies

    def _purpose(self, space: str, predicate: str, value: str) -> None:
        if space == "exercise":
            self.status = Status.EXERCISE
            self.exercise_id = slug(f"{predicate}-{value}" if value else predicate)
        elif (space, predicate) == ("rsit", "test") and self.status is Status.ACTUAL:
            self.status = Status.TEST

    def _known(self, space: str, predicate: str, value: str) -> None:
        match space, predicate:
            case "rsit", _ if _CLASSIFICATION.fullmatch(f"{predicate}:{value}"):
                self._classification.setdefault(f"{predicate}:{value}")
            case "admiralty-scale", "source-reliability" if value[:1] in set("abcdefg"):
                # "g" (deliberately deceptive) has no letter in the Admiralty code itself.
                self._source = "E" if value[0] == "g" else value[0].upper()
            case "admiralty-scale", "information-credibility" if value[:1] in set("123456"):
                self._credibility = int(value[0])
            case "estimative-language", "likelihood-probability" if value in _CERTAINTY:
                self._likelihood = value
            case _:
                pass

    def _technique(self, framework: str, value: str, external_ids: Iterable[str], path: str) -> bool:
        trailing = _TRAILING_ID.search(_short(value))
        for each in (*external_ids, trailing[1] if trailing else ""):
            if TECHNIQUE.fullmatch(each):
                name = one_line(_without_id(value), path=path, losses=self._losses)
                self._ttps.setdefault((framework, each), Ttp(framework=framework, id=each, name=name))
                return True
        self._losses.add(path, "a technique without an id")
        return True


def _short(value: str) -> str:
    """The beginning of a cluster's name, with single spaces; the search for its id needs a short text."""
    return " ".join(value[:MAX_TAG_CHARS].split())


def _without_id(value: str) -> str:
    return _TRAILING_ID.sub("", _short(value))


def _framework(galaxy: str) -> str | None:
    if framework := _FRAMEWORKS.get(galaxy):
        return framework
    if not (galaxy.startswith("mitre-") and galaxy.endswith("attack-pattern")):
        return None
    if "mobile" in galaxy:
        return "attack-mobile"
    return "attack-ics" if "ics" in galaxy.split("-") else "attack-enterprise"
