"""The playground of 04 and the picker of 01: what sliders and clicks change, and what a file keeps."""

import re

import numpy as np
import pytest

from hvr_nb.body.model import load_body_model, posed
from hvr_nb.canonical.big_pose import make_canonical
from hvr_nb.subject.motion import walking_motion
from hvr_nb.types import HvrError, Tracks
from hvr_nb.viewing import choose_person, picker, play, playground, saving, skin_points
from hvr_nb.viewing.play_box import PlayBox


@pytest.fixture(scope="module")
def model():
    return load_body_model()


@pytest.fixture(scope="module")
def body():
    return walking_motion(2)


@pytest.fixture(scope="module")
def canonical(body, model):
    return make_canonical(body, model, spacing=0.2)


@pytest.fixture
def box(body, canonical, model):
    return PlayBox(body.betas, canonical, model, skin_points.point_of_vertex(3, canonical.faces))


def test_the_big_pose_is_that_of_the_canonical_space_and_the_rest_pose_the_models(body, canonical, model):
    still = np.zeros((24, 3))
    rest = skin_points.changed_vertices(model, body.betas, still, pose="rest pose")
    np.testing.assert_allclose(rest, canonical.rest_vertices, atol=1e-5)
    big = skin_points.changed_vertices(model, body.betas, still, pose="big pose")
    assert np.abs(big - canonical.vertices).max() < 0.03, "but for the pose correctives"
    one = body.frame(1)
    turns = np.degrees(one.poses[0].reshape(24, 3))
    np.testing.assert_allclose(
        skin_points.changed_vertices(model, body.betas, turns, pose="rest pose") + one.transl[0],
        posed(model, one)[0][0],
        atol=1e-4,
    )


def test_sliders_shape_and_turn_the_body(box):
    box.reset.click()
    before = np.array(box._body.vertices)
    box.betas[0].value += 2
    taller = np.array(box._body.vertices)
    assert abs(np.ptp(taller[:, 1]) - np.ptp(before[:, 1])) > 0.02, "the first beta is stature"
    box.turns[1].value = -90
    bent = np.abs(np.array(box._body.vertices) - taller).max(1)
    assert bent.max() > 0.2 and np.median(bent) < 1e-4, "the left elbow moves the forearm alone"
    box.joint.value = 4
    assert [s.value for s in box.turns] == [0, 0, 0] and box._turns[18, 1] == -90, "each joint keeps its own"
    box.joint.value = 18
    assert box.turns[1].value == -90
    box.pose.value = "rest pose"
    assert np.ptp(box._body.vertices[:, 0]) > 1
    box.pose.value = "big pose"
    box.reset.click()
    np.testing.assert_allclose(box._body.vertices, before, atol=1e-5)


def test_a_click_tells_what_moves_the_place(box, canonical):
    vertex = int(canonical.vertices[:, 1].argmax())  # the top of the head
    box._clicked({"position": list(box._body.vertices[vertex] + [0, 0.01, 0])})
    assert box.vertex.value == vertex and "head" in box.told.value and "barycentric" in box.told.value
    assert np.linalg.norm(box._dot.positions[0] - box._body.vertices[vertex]) < 1e-4
    box.vertex.value = 0
    assert "vertex 0<" in box.told.value, "the number where clicking cannot work"
    middle = box._body.vertices[canonical.faces[7]].mean(0)
    point = skin_points.clicked_point(middle, box._body.vertices, canonical.faces)
    assert point.face == 7 and np.abs(point.bary - 1 / 3).max() < 0.01
    weights = [float(w) for w in re.findall(r">(\d\.\d\d)</td>", skin_points.told_of(point, canonical))]
    assert sum(weights) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("live", [False, True])
def test_what_a_notebook_keeps_of_it_is_a_still(body, canonical, model, monkeypatch, live):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **options: shown.append(data))
    monkeypatch.setattr(play, "is_live", lambda: live)
    playground(body, canonical, model)
    (data,) = shown
    assert set(data) - {saving.WIDGET} == {"image/png", "text/plain"} and (saving.WIDGET in data) == live
    assert "left" in data["text/plain"] and "vertex" in data["text/plain"]
    with pytest.raises(HvrError, match="no vertex 99999999; give 0 to"):
        playground(body, canonical, model, vertex=99999999)


@pytest.fixture
def crowd(monkeypatch):
    """Three people, the last of them never together with the others; what was displayed."""
    boxes = np.full((3, 4, 4), np.nan)
    boxes[0], boxes[1, 1:3], boxes[2, 3] = [10, 10, 30, 60], [60, 5, 90, 70], [40, 0, 50, 20]
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda widget: shown.append(widget))
    monkeypatch.setattr(picker, "is_live", lambda: True)
    return Tracks(boxes, 0), np.full((4, 80, 100, 3), 90, np.uint8), shown


def test_a_click_on_a_person_picks_them(crowd):
    tracks, frames, shown = crowd
    pick = choose_person(tracks, frames, 0)
    grid, row, said = shown[0].children
    film, *buttons = grid.children
    assert [b.description for b in buttons] == ["0", "1"], "those of the frame in which most are seen"
    top, left, bottom, right = (int(v) for v in buttons[1].layout.grid_area.split("/"))
    place = np.array([left - 1, top - 1, right - 1, bottom - 1]) / picker.CELLS
    assert np.abs(place - np.array([0.6, 5 / 80, 0.9, 70 / 80])).max() < 1 / picker.CELLS, "over the person"
    buttons[1].click()
    assert pick.person == row.value == 1 and "person 1" in said.value
    assert buttons[1].layout.border_top > buttons[0].layout.border_top, "the thick frame"
    row.value = 2
    assert pick.person == 2, "by number, one who is not in the picture"


def test_where_there_is_nothing_to_pick_nothing_is_shown(crowd, monkeypatch):
    tracks, frames, shown = crowd
    assert choose_person(Tracks(tracks.boxes[:1], 0), frames).person == 0
    monkeypatch.setattr(picker, "is_live", lambda: False)
    assert choose_person(tracks, frames, 1).person == 1 and shown == []
