"""The picture side of the synthetic world: rays, cameras, shadows, marks, shapes."""

from __future__ import annotations

import numpy as np
import pytest

from synthadl import truth
from synthadl.actions import perform
from synthadl.actions.playing.props import KINDS
from synthadl.drawing import raycast, render
from synthadl.drawing.camera import aim, look
from synthadl.drawing.scene import Light, Scene, stage
from synthadl.people.body import JOINT, Subject
from synthadl.people.figure import dress
from synthadl.things import shapes
from synthadl.things.furniture import FURNITURE
from synthadl.things.solids import affines, ball, box, chain, frustum, place, rod, rotation, table

WIDTH, HEIGHT = 160, 120


def camera(view=2, seed=0):
    return aim(view, 1.3, 2.9, np.random.default_rng(seed), WIDTH, HEIGHT)


def bare_scene(*solids):
    """A white floor and a lamp straight above, so that shadows fall where the eye expects them."""
    light = Light(np.array([0.0, 1.0, 0.0]), np.full(3, 0.6), np.full(3, 0.3), np.full(3, 0.2), 1.0, 0.0)
    return Scene([box((0, -0.05, 0), (3, 0.05, 3), (0.7, 0.7, 0.7))], list(solids), light)


def actors(solids, paths, bits=render.PROP | render.TRUTH):
    """Solids that follow paths float64 [T,3], one each."""
    own, shape = affines(solids)
    frames = len(paths[0])
    world = np.broadcast_to(own, (frames, len(render.OFFSETS), *own.shape)).copy()
    world[..., 3] += np.stack(paths, 1)[:, None]
    return render.Actors(
        table(solids, [bits] * len(solids)), world, np.broadcast_to(shape, (*world.shape[:2], *shape.shape)).copy()
    )


def draw(scene, view, cast, noise=0.0):
    pictures, marks = zip(
        *render.draw(scene, view, cast, render.Film(noise=noise), np.random.default_rng(0)), strict=True
    )
    return np.stack(pictures), np.stack(marks)


@pytest.mark.parametrize(
    ("form", "shape", "origin", "depth"),
    [
        (raycast.BALL, (0, 0, 0), (0, 0, -3), 2.0),
        (raycast.BALL, (0, 0, 0), (0.6, 0, -3), 3 - 0.8),
        (raycast.BOX, (0, 0, 0), (0.3, -0.9, -3), 2.0),
        (raycast.FRUSTUM, (1.0, 0.5, 0), (0, 0.5, -3), 3 - 0.75),
        (raycast.ROUND, (0.5, 0.5, 2.0), (0, 1.0, -3), 2.5),
        (raycast.ROUND, (0.5, 0.25, 2.0), (0, 2.0, -3), None),
        (raycast.BALL, (0, 0, 0), (1.1, 0, -3), raycast.FAR),
        (raycast.ROUND, (0.5, 0.5, 2.0), (0, 2.6, -3), raycast.FAR),
    ],
)
def test_depth_of_a_ray_along_z(form, shape, origin, depth):
    hits = {
        raycast.BALL: raycast.hit_ball,
        raycast.BOX: raycast.hit_box,
        raycast.FRUSTUM: lambda *ray: raycast.hit_frustum(*ray, shape[0], shape[1]),
        raycast.ROUND: lambda *ray: raycast.hit_round(*ray, *shape),
    }
    # Twice the direction is half the depth: rays need not have unit length.
    for speed in (1.0, 2.0):
        found = hits[form](*map(float, origin), 0.0, 0.0, speed)
        if depth is None:
            # The side of the rounded cone at the height of its upper centre: radius 0.25 / cos(asin(0.25 / 2)).
            assert found * speed == pytest.approx(3 - 0.25 / np.sqrt(1 - 0.125**2), abs=1e-9)
        elif depth == raycast.FAR:
            assert found == raycast.FAR
        else:
            assert found * speed == pytest.approx(depth, abs=1e-9)


def test_inverse_maps_back_and_a_flat_map_has_none():
    rng = np.random.default_rng(3)
    world = rng.normal(size=(5, 3, 4))
    world[4, :, 0] = 0
    eye = camera().extrinsics[:3]
    inverse = np.empty_like(world)
    raycast.invert(eye, world, inverse)
    for p in range(4):
        there_and_back = chain(inverse[p], chain(eye, world[p]))
        np.testing.assert_allclose(there_and_back, np.eye(3, 4), atol=1e-9)
    assert np.isnan(inverse[4]).all()


def test_camera_axes():
    """Seen from the front, the world's +x is right, +y is up, and depth grows away from the camera."""
    view = look(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0]), 1.0, WIDTH, HEIGHT)
    seen = view.see(np.array([[0.0, 1.0, 0.0], [0.5, 1.0, 0.0], [0.0, 1.5, 0.0], [0.0, 1.0, -1.0]]))
    np.testing.assert_allclose(seen, [[0, 0, 3], [0.5, 0, 3], [0, 0.5, 3], [0, 0, 4]], atol=1e-12)
    np.testing.assert_allclose(view.project(seen[:3]), [[80, 60], [100, 60], [80, 40]], atol=1e-9)
    assert np.isnan(view.project([0.0, 0.0, -1.0])).all()
    np.testing.assert_allclose(view.position, [0, 1, 3], atol=1e-12)


@pytest.mark.parametrize("view", [1, 2, 3])
def test_projection_falls_on_what_is_drawn(view):
    """A small ball at each joint is drawn within a pixel of the joint's projection."""
    performance = perform("wave", Subject.sample(2), np.random.default_rng(2), 25.0)
    seen = camera(view, seed=view)
    for name in ("head", "hand_left", "hand_right", "knee_left", "ankle_right", "spine_base"):
        point = performance.joints[20, JOINT[name]]
        _, marks = draw(bare_scene(), seen, actors([ball((0, 0, 0), (0.05, 0.05, 0.05), (1, 0, 0))], [point[None]]))
        rows, columns = np.nonzero(marks[0] & render.PROP)
        middle = np.array([columns.mean() + 0.5, rows.mean() + 0.5])
        assert np.abs(middle - seen.project(seen.see(point))).max() < 1.0, name


def test_mark_is_the_disc_that_the_ball_covers():
    seen = look(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0]), 1.2, WIDTH, HEIGHT)
    _, marks = draw(bare_scene(), seen, actors([ball((0, 1, 0), (0.3,) * 3, (1, 0, 0))], [np.zeros((1, 3))]))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    radius = 1.2 * HEIGHT * 0.3 / np.sqrt(9 - 0.09)
    distance = np.hypot(columns - 80, rows - 60)
    assert marks[0][distance < radius - 1].all()
    assert not marks[0][distance > radius + 1].any()
    np.testing.assert_allclose(
        truth.boxes(marks > 0)[0], [80 - radius, 60 - radius, 80 + radius, 60 + radius], atol=1.5
    )


def test_what_stands_behind_furniture_is_not_marked():
    seen = look(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0]), 1.2, WIDTH, HEIGHT)
    cast = actors([ball((0, 1, 0), (0.1,) * 3, (1, 0, 0))], [np.zeros((1, 3))])
    _, marks = draw(bare_scene(box((0, 1, 1), (0.3, 0.3, 0.1), (0.5, 0.5, 0.5))), seen, cast)
    assert not marks.any()
    assert np.isnan(truth.boxes(marks > 0)).all()


def test_a_prop_out_of_sight_is_not_drawn():
    seen, path = camera(), np.array([[0.0, 0.0, 0.0], [np.nan] * 3, [0.0, 0.0, 0.0]])
    cast = actors([ball((0, 1, 0), (0.2,) * 3, (1, 0, 0))], [path])
    pictures, marks = draw(bare_scene(), seen, cast)
    assert [bool(mark.any()) for mark in marks] == [True, False, True]
    assert np.array_equal(pictures[0], pictures[2]) and not np.array_equal(pictures[0], pictures[1])


def test_a_body_throws_a_shadow_on_the_floor():
    seen = look(np.array([0.0, 2.0, 3.0]), np.array([0.0, 0.3, 0.0]), 1.0, WIDTH, HEIGHT)
    cast = actors([ball((0, 1.0, 0), (0.25,) * 3, (1, 0, 0))], [np.array([[0.0, 0, 0], [9.0, 0.0, 0]])])
    pictures, _ = draw(bare_scene(), seen, cast)
    column, row = seen.project(seen.see([0.0, 0.0, 0.0])).astype(int)
    shaded, free = pictures[:, row, column].astype(int).sum(-1)
    assert shaded < 0.8 * free
    column, row = seen.project(seen.see([0.8, 0.0, 0.0])).astype(int)
    assert np.array_equal(pictures[0, row, column], pictures[1, row, column])


def test_edges_are_smoothed_and_motion_is_blurred():
    seen = look(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0]), 1.2, WIDTH, HEIGHT)
    solid = [ball((0, 1, 0), (0.1,) * 3, (1, 0.0, 0.0))]
    still = actors(solid, [np.zeros((1, 3))])
    fast = actors(solid, [np.zeros((1, 3))])
    fast.world[..., 0, 3] += 0.8 * render.SHUTTER[:, None]
    flat = Scene([], [], Light(np.array([0.0, 1.0, 0.0]), np.zeros(3), np.full(3, 0.5), np.full(3, 0.5), 1.0, 0.0))
    shares = []
    for cast in (still, fast):
        picture = draw(flat, seen, cast)[0][0, ..., 0]
        seen_at_all = picture > 0.05 * picture.max()
        shares.append((seen_at_all & (picture < 0.75 * picture.max())).sum() / seen_at_all.sum())
    assert 0.02 < shares[0] < 0.3 < 0.6 < shares[1]


@pytest.mark.parametrize("action", ["drink_from_cup", "read_book", "cut_bread", "kick"])
def test_truth_covers_the_drawn_object_and_the_hand(action):
    subject = Subject.sample(5)
    performance = perform(action, subject, np.random.default_rng(5), 25.0)
    seen = camera(2)
    cast = render.cast_actors(performance, subject, np.random.default_rng(0))
    _, marks = draw(bare_scene(), seen, cast)
    stored = truth.arrays(performance, seen, marks)
    mask = np.unpackbits(stored["truth_mask"], axis=-1, count=WIDTH).astype(bool)
    objects = (marks & render.PROP) > 0
    assert mask[objects].all() == (len(performance.truth_props) == len(performance.props))
    limbs = [n for n in ("hand_left", "hand_right", "foot_left", "foot_right") if performance.truth_joints[JOINT[n]]]
    assert limbs
    for name in limbs:
        at = np.floor(stored["pixels"][:, JOINT[name]]).astype(int)
        inside = ((at >= 0) & (at < (WIDTH, HEIGHT))).all(-1)
        hit = [mask[t, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].any() for t, (x, y) in enumerate(at) if inside[t]]
        # A hand may pass behind the trunk or the head for a moment.
        assert np.mean(hit) > 0.8, name
    columns = np.flatnonzero(mask[10].any(0))
    if len(columns):
        assert stored["truth_box"][10, 0] == columns[0] and stored["truth_box"][10, 2] == columns[-1] + 1


def test_stored_arrays_have_the_promised_types():
    performance = perform("clap", Subject.sample(1), np.random.default_rng(1), 25.0)
    count, seen = len(performance.joints), camera(1)
    stored = truth.arrays(performance, seen, np.zeros((count, HEIGHT, WIDTH), np.uint8))
    expected = {
        "joints": (np.float32, (count, 25, 3)), "pixels": (np.float32, (count, 25, 2)),
        "intrinsics": (np.float64, (3, 3)), "extrinsics": (np.float64, (4, 4)), "truth_joints": (np.bool_, (25,)),
        "truth_box": (np.float32, (count, 4)), "truth_mask": (np.uint8, (count, HEIGHT, WIDTH // 8)),
        "interval": (np.int64, (2,)),
    }  # fmt: skip
    assert {name: (value.dtype.type, value.shape) for name, value in stored.items()} == expected
    homogeneous = np.concatenate([performance.joints[3, 7], [1.0]])
    np.testing.assert_allclose(stored["joints"][3, 7], (stored["extrinsics"] @ homogeneous)[:3], atol=1e-5)
    x, y, z = stored["joints"][3, 7].astype(float)
    k = stored["intrinsics"]
    np.testing.assert_allclose(
        stored["pixels"][3, 7], [k[0, 0] * x / z + k[0, 2], k[1, 2] - k[1, 1] * y / z], atol=1e-3
    )


def reach(solid):
    """Lowest and highest coordinates [3] of a solid."""
    wide, bottom, top = raycast.extent(solid.form, solid.shape)
    if solid.form in (raycast.BALL, raycast.ROUND):
        # An ellipsoid reaches as far along an axis as that row of its map is long; a capsule is the hull of two.
        ends = [(0.0, 1.0)] if solid.form == raycast.BALL else [(0.0, solid.shape[0]), (solid.shape[2], solid.shape[1])]
        far = np.sqrt((solid.affine[:, :3] ** 2).sum(-1))
        middles = [solid.affine[:, 1] * y + solid.affine[:, 3] for y, _ in ends]
        points = [
            middle + side * radius * far for middle, (_, radius) in zip(middles, ends, strict=True) for side in (-1, 1)
        ]
    else:
        corners = np.array([[x, y, z] for x in (-wide, wide) for y in (bottom, top) for z in (-wide, wide)])
        points = corners @ solid.affine[:, :3].T + solid.affine[:, 3]
    return np.min(points, axis=0), np.max(points, axis=0)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(FURNITURE)))
def test_things_have_the_size_that_motion_reckons_with(kind):
    """Grips, mouths and spouts are placed by KINDS; what is drawn keeps to it within a quarter and some handles."""
    reaches = [reach(solid) for solid in shapes.build(kind, {})]
    low, high = (bound([each[n] for each in reaches], axis=0) for n, bound in enumerate((np.min, np.max)))
    np.testing.assert_allclose(high - low, KINDS[kind][0], rtol=0.25, atol=0.035)


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(ValueError, match="unknown kind of prop 'sword'; known: .*cup.*table"):
        shapes.build("sword", {})


def test_look_overrides_the_palette():
    colors = {tuple(shapes.build("cup", {}, np.random.default_rng(seed))[0].color) for seed in range(20)}
    assert len(colors) > 1
    assert shapes.build("cup", {"color": (0.1, 0.2, 0.3)}, np.random.default_rng(0))[0].color == (0.1, 0.2, 0.3)


def test_a_sock_replaces_the_shoe():
    subject = Subject.sample(4)
    joints = perform("wave", subject, np.random.default_rng(4), 25.0).joints[:2]
    shod, bare = dress(joints, subject), dress(joints, subject, socks=frozenset({"left"}))
    feet = [n for n, names in enumerate(shod.joints) if "foot_left" in names]
    assert (shod.table.color[feet] != bare.table.color[feet]).any()
    others = [n for n, names in enumerate(shod.joints) if "foot_left" not in names]
    assert np.array_equal(shod.table.color[others], bare.table.color[others])


def test_nobody_seems_undressed():
    for seed in range(200):
        subject = Subject.sample(seed)
        table = dress(np.random.default_rng(0).normal(size=(1, 25, 3)), subject).table
        skin, top = np.asarray(subject.colours["skin"]) ** 2.2, table.color[1, 0]
        assert np.abs(top ** (1 / 2.2) - skin ** (1 / 2.2)).max() > 0.1, seed


def test_solids_compose():
    turned = rod((0, 0, 0), (0, 0, 2), 0.1, 0.1, (1, 1, 1))
    np.testing.assert_allclose(turned.affine[:, 1], [0, 0, 1], atol=1e-12)
    np.testing.assert_allclose(rotation(z=90) @ [1, 0, 0], [0, 1, 0], atol=1e-12)
    cone = frustum((0, 0, 0), 0.5, 0.1, 0.2, (1, 1, 1))
    np.testing.assert_allclose(chain(place(1, 2, 3, 90), cone.affine)[:, 3], [1, 2, 3])
    assert cone.shape[:2] == (0.5, 1.0)


@pytest.mark.parametrize("bad", [{"framing": "fish-eye"}, {"view": 9}])
def test_a_wrong_camera_is_refused(bad):
    settings = {"view": 1, "framing": "normal", **bad}
    with pytest.raises(ValueError, match="must be one of"):
        aim(settings["view"], 1.0, 3.0, np.random.default_rng(0), WIDTH, HEIGHT, settings["framing"])


def test_the_still_room_does_not_depend_on_the_action():
    """Same seeds, other action: the room's shell is the same, and so is the light."""
    scenes = []
    for action in ("wave", "kick"):
        performance = perform(action, Subject.sample(1), np.random.default_rng(1), 25.0)
        scenes.append(stage(np.random.default_rng(7), np.random.default_rng(8), performance, ["cup", "book"]))
    for one, other in zip(scenes[0].shell, scenes[1].shell, strict=True):
        assert np.array_equal(one.affine, other.affine) and one.color == other.color
    assert np.array_equal(scenes[0].light.direction, scenes[1].light.direction)
