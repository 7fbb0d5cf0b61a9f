"""Who hears of which change of the settings."""

from __future__ import annotations

from llmstep.settings import LeanSettings, Settings
from llmstep.settings_store import SettingsStore


def test_a_part_hears_of_its_section_with_the_old_and_the_new_value() -> None:
    store = SettingsStore(Settings(count=3))
    heard: list[tuple[object, object]] = []
    store.subscribe(lambda settings: settings.count, lambda old, new: heard.append((old, new)))
    store.change(Settings(count=3, model="other"))
    assert heard == []
    store.change(Settings(count=5))
    assert heard == [(3, 5)]
    assert store.current == Settings(count=5)


def test_all_settings_have_changed_when_the_first_part_hears() -> None:
    store = SettingsStore()
    seen: list[Settings] = []
    store.subscribe(lambda settings: settings.model, lambda *_: seen.append(store.current))
    store.change(Settings(model="m", lean=LeanSettings(open_files=7)))
    assert [each.lean.open_files for each in seen] == [7]


def test_parts_hear_in_the_order_of_their_subscriptions() -> None:
    store = SettingsStore()
    order: list[str] = []
    store.subscribe(lambda settings: settings.model, lambda *_: order.append("first"))
    store.subscribe(lambda settings: settings.model, lambda *_: order.append("second"))
    store.change(Settings(model="a"))
    assert order == ["first", "second"]
