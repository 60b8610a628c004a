"""Check a host's data, in one place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from pydantic.functional_validators import AfterValidator, PlainValidator

from ollama_slots.core import hours, names, parameters, units
from ollama_slots.core.errors import first_error, shown
from ollama_slots.core.misspelt import meant

EMPTY = "none"  # as slotN_model: the slot is to hold nothing
REPORT = r"^[^\x00-\x1f\x7f]{0,4090}\.(txt|json)$"
# Brackets only around an IPv6 address: in others curl sees a range, and asks each address in it.
ADDRESS = r"://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?"


def _model(value: str) -> str:
    return EMPTY if value.lower() == EMPTY else names.parse(value).short


def _models(value: object) -> list[str]:
    if isinstance(value, list) and all(isinstance(it, str) for it in value):
        return [names.parse(it).short for it in value]
    raise ValueError(f'expected a list of models, such as ["mistral:7b"], found {shown(value)}')


def _text(value: str) -> str:
    """Check text that a Modelfile is to hold between triple quotes, which know no escape."""
    if '"""' in value or value.endswith('"') or not re.sub(r"[\t\r\n]", "", value).isprintable():
        # The engine's parser silently leaves out what is not printable (parser/parser.go, v0.32.15).
        raise ValueError('a Modelfile cannot hold text with """ or an unprintable character in it or " at its end')
    return value


def _parameter(value: object) -> object:
    """Check a parameter's value: a number, a truth value, text, or a list of texts."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list) and all(isinstance(it, str) for it in value):
        return [_text(it) for it in value]
    if isinstance(value, bool | int | float) and abs(value) < 2**63:
        return value
    raise ValueError(f"expected a number, true, false, text or a list of texts, found {shown(value)}")


DURATION = r"(?=.*[1-9])-?([0-9]{1,6}(ms|s|m|h))+"  # with 0 a model leaves memory with each answer


def _keep_alive(value: object) -> object:
    """Check a keep-alive as Ollama takes it in a request: seconds, or a duration of Go's (at most 292 years)."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < abs(value) < 10**9:
        return value
    if isinstance(value, str) and len(value) <= 20 and re.fullmatch(DURATION, value):
        return value
    expected = 'seconds (1 to 10^9), -1 for ever, or a duration such as "24h"'
    raise ValueError(f"expected {expected}, found {shown(value)}")


def _require_gpu(value: object) -> object:
    if value == "auto" or isinstance(value, bool):
        return value
    raise ValueError(f'expected "auto", true or false, found {shown(value)}')


def _hours(value: str) -> str:
    hours.parse(value)
    return value


def _http(value: str) -> str:
    return _url(value, "http", "http://HOST[:PORT]")


def _http_or_https(value: str) -> str:
    return _url(value, "https?", "http://HOST[:PORT] or https://HOST[:PORT]")


def _url(value: str, scheme: str, expected: str) -> str:
    it = re.fullmatch(scheme + ADDRESS, value)
    if it is None:
        raise ValueError(f"expected {expected} without path and slash, found {shown(value)}: correct it")
    if int(it[1] or 0) > 65535:
        raise ValueError(f"expected a port of at most 65535, found {shown(value)}: correct it")
    return value


Models = Annotated[list[str], PlainValidator(_models)]
Text = Annotated[str, AfterValidator(_text)]
Parameter = Annotated[bool | int | float | str | list[str], PlainValidator(_parameter)]
ParameterName = Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,40}$")]
Seconds = Annotated[int, Field(gt=0, le=7 * 24 * 3600)]


class Slot(BaseModel):
    """One slot as declared; ``model`` is a canonical name, ``none`` (to be empty) or None (left as it is)."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    number: int
    name: Annotated[str, StringConstraints(pattern=names.VARIANT)]
    num_ctx: Annotated[int, Field(gt=0, le=2**31)]
    model: Annotated[str, AfterValidator(_model)] | None = None
    system: Text | None = None
    parameters: dict[ParameterName, Parameter] = Field(default_factory=dict)
    modelfile: str | None = None  # a template of the user's own; None: the package's
    runner: dict[str, int] = Field(default_factory=dict)  # no key: what its Modelfile says (host/desired.py)

    @property
    def tagged(self) -> str:
        """The variant's name as the engine lists it."""
        return f"{self.name}:latest"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        for name, value in self.parameters.items():
            if why := parameters.wrong(name, value):
                raise ValueError(f"parameters: {why}")
        if self.system == "":  # no Modelfile takes a base's system prompt away
            raise ValueError("system: expected text, found none: leave it out for the base's own")
        return self


# What a host has where its data say nothing, beside the defaults of the fields below: the four slots. Which models
# the first three hold is the user's to say; the fourth is left as it is on each host.
DEFAULTS: Mapping[str, str | int] = {
    "slot1_name": "coding-primary",
    "slot1_num_ctx": 32768,
    "slot2_name": "general-primary",
    "slot2_num_ctx": 16384,
    "slot3_name": "backup",
    "slot3_num_ctx": 16384,
    "slot4_name": "experimental",
    "slot4_num_ctx": 8192,
}


OURS = {"number", "runner"}  # of a slot: no keys of the data
SLOT_KEYS = tuple(f"slotN_{it}" for it in Slot.model_fields if it not in OURS)


class Settings(BaseModel):
    """A host's data. Every key, its unit and meaning: ``group_data/all.py``."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    slots: tuple[Slot, ...] = Field(min_length=1)
    shared_base: Literal["align", "error", "allow"] = "align"
    require_gpu: Annotated[Literal["auto"] | bool, PlainValidator(_require_gpu)] = "auto"
    gpu_memory_gib: Annotated[float, Field(gt=0, le=2**20)] | None = None
    disk_headroom_gib: Annotated[float, Field(ge=0, le=2**20)] = 2
    model_registry: Annotated[str, AfterValidator(_http_or_https)] | None = None
    pull_insecure: bool = False
    keep_alive: Annotated[int | str, PlainValidator(_keep_alive)] = -1
    max_loaded_models: Annotated[int, Field(gt=0, le=1000)] | None = None
    ollama_unit: Annotated[str, AfterValidator(units.whole)] = units.DEFAULT
    ollama_url: Annotated[str, AfterValidator(_http)] | None = None
    canary_min_tokens_per_sec: Annotated[float, Field(gt=0, le=10**6)] | None = None
    rollback: str = "all"
    watch: Literal["heal", "report", "off"] = "heal"
    watch_seconds: Annotated[int, Field(gt=0, le=3600)] = 30
    watch_evicts: bool = False
    api_seconds: Seconds = 120
    load_seconds: Seconds = 600
    pull_seconds: Seconds = 6 * 3600
    pull_stall_seconds: Seconds = 300
    report: Annotated[str, StringConstraints(pattern=REPORT)] | None = None
    benchmark_models: Models = []
    benchmark_profile: Literal["quick", "full"] = "quick"
    benchmark_window: Annotated[str, AfterValidator(_hours)] | None = None
    prune: bool = False
    prune_previous: bool = False

    def __str__(self) -> str:
        """Say no more than what pyinfra has room for, where it names a fact with what it was asked with."""
        return f"{len(self.slots)} slots"

    @property
    def registry(self) -> str:
        """How messages call where the models come from."""
        return f"the mirror {self.model_registry}" if self.model_registry else "its registry"

    @property
    def warm_up_unit(self) -> str:
        """The unit that loads the slots after a start of Ollama's."""
        return units.warm_up(self.ollama_unit)

    @property
    def stays(self) -> bool:
        """Whether a slot that expires is not as declared: it is to stay, and no watch tells it so in time."""
        return self.for_ever and self.watch != "heal"

    @property
    def watch_timer(self) -> str:
        """The unit that starts the watch."""
        return units.watch_timer(self.ollama_unit)

    @property
    def loaded_models(self) -> int:
        """OLLAMA_MAX_LOADED_MODELS: every slot, and one more for a rotation's candidate."""
        return self.max_loaded_models or len(self.slots) + 1

    @property
    def for_ever(self) -> bool:
        """Whether models stay in memory until they are unloaded."""
        return str(self.keep_alive).startswith("-")

    @property
    def warm_up_seconds(self) -> int:
        """More than the bounds of all the warm-up's waits add up to (templates/ollama-warmup.sh.j2)."""
        api = self.api_seconds + 1
        names = self.api_seconds + 10 + 1
        leave = 30 + 2 * 10 + 1
        proof = 20 + 20 * self.loaded_models
        return api + names + leave + len(self.slots) * (2 * self.load_seconds + 2 + 3 * proof) + 60

    @property
    def heal_seconds(self) -> int:
        """More than the bounds of all that the watch does for the slots add up to (host/mend.sh)."""
        stay, unload, looks = 2 * 30, (1 + self.loaded_models) * 20, (4 + self.loaded_models) * 40
        load = self.loaded_models * self.load_seconds  # what has made way, too
        return len(self.slots) * (load + stay + unload + looks) + 60

    @property
    def lock_seconds(self) -> int:
        """How long to wait for another run's rotation of one slot: an unload, three loads, and small requests."""
        return 3 * self.load_seconds + 300

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        seen: dict[str, int] = {}
        for slot in self.slots:
            other = seen.setdefault(slot.name.lower(), slot.number)
            if other != slot.number:
                raise ValueError(f"slot{slot.number}_name: {slot.name!r} is slot {other}'s name already")
        if self.rollback not in {"all", *(slot.name for slot in self.slots)}:
            raise ValueError(f"rollback: expected all or the name of a slot, found {self.rollback!r:.60}")
        for slot in self.slots:
            name = names.parse(slot.model) if slot.model not in (None, EMPTY) else None
            if name and name.short.partition(":")[0].lower() in seen:
                raise ValueError(f"slot{slot.number}_model: {slot.model!r} is a slot's variant, not a base")
        return self

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Settings:
        """Check a host's data and return its settings.

        + data: all of it as pyinfra merged it; keys that are not ours are left alone

        Raises ValueError with one line: which key, what was expected, what was found.
        """
        slots: dict[int, dict[str, Any]] = {}
        for key, value in data.items():
            if not isinstance(key, str):
                continue
            match = re.fullmatch(r"slot([1-9][0-9]{0,2})_([a-z_]+)", key)
            if match and match[2] not in OURS:
                number, attribute = int(match[1]), match[2]
                slots.setdefault(number, {"number": number})[attribute] = value
            elif key.startswith("slot"):
                raise ValueError(f"{key!a:.60}: expected one of {', '.join(SLOT_KEYS)}: correct it")
            elif key not in cls.model_fields and (it := meant(key, tuple(cls.model_fields), SLOT_KEYS)):
                raise ValueError(
                    f"{key!a:.60}: expected {it}, or a key of your own that is less like it: correct it"
                )
        known = {key: data[key] for key in cls.model_fields if key in data and key != "slots"}
        checked = tuple(_checked_slot(slot) for _, slot in sorted(slots.items()))
        try:
            return cls(slots=checked, **known)
        except ValidationError as error:
            raise ValueError(first_error(error)) from None


def _checked_slot(data: dict[str, Any]) -> Slot:
    for attribute in data:
        if attribute not in Slot.model_fields:
            key = f"slot{data['number']}_{attribute}"
            raise ValueError(f"{key:.60}: expected one of {', '.join(SLOT_KEYS)}, found no such key: correct it")
    try:
        return Slot.model_validate(data)
    except ValidationError as error:
        raise ValueError(f"slot{data['number']}_{first_error(error)}") from None
