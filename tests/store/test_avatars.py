"""Avatars as artefacts of a clip: found by method, refused where missing, stale or damaged."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_clips import a_body, some_masks, whole

from hvr_nb.store.files import read_json, write_json
from hvr_nb.types import HvrError


class Doll:
    """An avatar that is one number."""

    def __init__(self, number: int):
        self.number = number

    def save(self, folder):
        np.savez(folder / "weights.npz", number=self.number)
        write_json(folder / "options.json", {"method": "doll", "number": self.number})


def read_doll(folder, *, device="auto"):
    return Doll(read_json(folder / "options.json", remedy="run 05_train again")["number"])


@pytest.fixture
def clip(tmp_path, monkeypatch):
    monkeypatch.setattr("hvr_nb.method", {"doll": SimpleNamespace(load=read_doll)}.__getitem__)
    clip = whole(tmp_path / "clip")
    clip.avatar_folder("doll").mkdir(parents=True)
    return clip


def trained(clip) -> None:
    clip.save_avatar("doll", Doll(7), made_from=("masks", "body", "normals"))


def test_a_trained_avatar_comes_back(clip):
    trained(clip)
    assert clip.avatar("doll").number == 7
    assert clip.avatar("doll", device="cpu").number == 7


def test_a_missing_or_stopped_one_names_05_train(clip):
    with pytest.raises(HvrError, match="no finished doll avatar; run 05_train"):
        clip.avatar("doll")
    (clip.avatar_folder("doll") / "checkpoint.pt").write_bytes(b"x")
    with pytest.raises(HvrError, match="stopped.*run 05_train"):
        clip.avatar("doll")


def test_a_stale_one_is_refused(clip):
    trained(clip)
    clip.save("body", a_body(1))
    with pytest.raises(HvrError, match="made from other body.*run 05_train again"):
        clip.avatar("doll")


def test_what_it_was_made_from_must_be_fresh_too(clip):
    trained(clip)
    clip.save("masks", some_masks(1))
    clip.save_avatar("doll", Doll(8), made_from=("body",))
    with pytest.raises(HvrError, match="made from other masks.*run 03_body again"):
        clip.avatar("doll")


@pytest.mark.parametrize("name", ["weights.npz", "options.json"])
def test_files_that_have_changed_are_named(clip, name):
    trained(clip)
    path = clip.avatar_folder("doll") / name
    path.write_bytes(path.read_bytes().replace(b"7", b"9") + b" ")
    with pytest.raises(HvrError, match=f"{name}.*run 05_train again"):
        clip.avatar("doll")


def test_one_cut_off_while_it_was_written_is_not_read(clip, monkeypatch):
    trained(clip)
    monkeypatch.setattr(Doll, "save", lambda self, folder: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trained(clip)
    with pytest.raises(HvrError, match="not written to its end; run 05_train again"):
        clip.avatar("doll")


def test_one_of_an_earlier_version_is_still_read(clip):
    trained(clip)
    (clip.avatar_folder("doll") / "made_from.json").unlink()
    assert clip.avatar("doll").number == 7


def test_an_unknown_method_is_named(tmp_path):
    with pytest.raises(HvrError, match="no method 'ghost'; known methods: "):
        whole(tmp_path).avatar("ghost")
