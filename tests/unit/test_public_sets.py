"""The public data sets: every protocol has the documented number of clips, of generated files with official names."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import official
from workbench.data import ClipSpec, Loader, open_dataset
from workbench.data.catalog import SOURCES
from workbench.data.files import facts
from workbench.data.sources import charades, multithumos, ntu, pku_mmd, smarthome, thumos14, tsu
from workbench.data.sources.official import LeftOut

NAMES = Path(__file__).parents[1] / "names"


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "records"))


def touch(root, names):
    """Empty files: tables are made of names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def sizes(name, root, protocol):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LeftOut)
        return tuple(len(open_dataset(name, root, protocol, split)) for split in ("train", "validation", "test"))


# NTU: all 114,480 names


@pytest.fixture(scope="module")
def ntu_rows():
    rows = []
    for setup in pd.read_csv(NAMES / "ntu_counts_per_setup.csv").itertuples():
        first, last = int(setup.first_class[1:]), int(setup.last_class[1:])
        for subject in map(int, setup.subjects.split()):
            for camera in (1, 2, 3):
                for action in range(first, last + 1):
                    for again in (1, 2):
                        name = f"S{setup.setup:03d}C{camera:03d}P{subject:03d}R{again:03d}A{action:03d}"
                        row = {"id": name, "setup": setup.setup, "camera": camera, "subject": subject}
                        rows.append(row | {"label": action - 1})
    assert len(rows) == 114_480
    return rows


@pytest.mark.parametrize(
    ("edition", "protocol", "everything", "with_skeleton"),
    [
        (ntu.NTU60, "cs", (40_320, 0, 16_560), (40_091, 0, 16_487)),
        (ntu.NTU60, "cv", (37_920, 0, 18_960), (37_646, 0, 18_932)),
        (ntu.NTU120, "cs", (63_360, 0, 51_120), (63_026, 0, 50_919)),
        (ntu.NTU120, "setup", (54_720, 0, 59_760), (54_468, 0, 59_477)),
    ],
)
def test_ntu_counts(ntu_rows, edition, protocol, everything, with_skeleton):
    rows = [row for row in ntu_rows if row["setup"] in edition.setups and row["label"] < edition.actions]
    missing = facts.listed("ntu_missing_skeletons_120.txt")
    for kept, expected in ((rows, everything), ([r for r in rows if r["id"] not in missing], with_skeleton)):
        parts = [edition.part(row, protocol) for row in kept]
        assert tuple(parts.count(part) for part in ("train", "validation", "test")) == expected


def test_ntu_validation_takes_no_clip_from_two_parts(ntu_rows):
    rows = [row for row in ntu_rows if row["setup"] <= 17]
    held = [row for row in rows if ntu.part_60(row, "cs-val") == "validation"]
    assert {row["subject"] for row in held} == {4, 19, 31}
    missing = facts.listed("ntu_missing_skeletons_120.txt")
    held = [row for row in rows if ntu.part_60(row, "cv-val") == "validation" and row["id"] not in missing]
    assert len(held) == 959


def test_ntu_one_shot(ntu_rows):
    parts = {row["id"]: ntu.part_120(row, "one-shot") for row in ntu_rows}
    exemplars = [row["id"] for row in ntu_rows if ntu.part_120(row, "one-shot-exemplars") == "train"]
    assert len(exemplars) == 20 and all(parts[name] == "unused" for name in exemplars)
    novel = {row["label"] + 1 for row in ntu_rows if parts[row["id"]] == "test"}
    assert novel == set(range(1, 121, 6))
    assert {row["label"] + 1 for row in ntu_rows if parts[row["id"]] == "train"} == set(range(1, 121)) - novel


def test_ntu_folder(tmp_path):
    official.write_ntu(tmp_path / "nturgb+d_skeletons" / "S001C002P001R001A003.skeleton", frames=5)
    official.write_ntu(tmp_path / "nturgb+d_skeletons" / "S018C001P008R001A061.skeleton", frames=4)
    # In the list of the authors; not named as a sample.
    official.write_ntu(tmp_path / "nturgb+d_skeletons" / "S001C002P005R002A008.skeleton")
    official.write_ntu(tmp_path / "A_folder" / "notes.skeleton")
    with pytest.warns(LeftOut, match="ntu60: 1 left out, they have no usable skeleton: S001C002P005R002A008"):
        data = open_dataset("ntu60", tmp_path)
    assert (data.ids, data.labels.tolist(), data.lengths.tolist()) == (["S001C002P001R001A003"], [2], [5])
    assert (len(data.classes), data.classes[2], data.mirrored, data.metric) == (60, "brushing teeth", True, "top1")
    assert data.pose(0).joints.shape == (1, 5, 25, 3) and data.pixels(0).space == "image"
    assert data.table.loc[0, ["setup", "camera", "subject", "replication"]].tolist() == [1, 2, 1, 1]
    assert open_dataset("ntu120", tmp_path, "setup").ids == ["S018C001P008R001A061"]


def test_ntu_damaged_file_is_a_problem_of_its_clip(tmp_path):
    official.write_ntu(tmp_path / "S001C002P001R001A003.skeleton")
    (tmp_path / "S001C002P001R001A004.skeleton").write_text("what")
    data = open_dataset("ntu60", tmp_path)
    assert list(data.problems) == [1] and "A004.skeleton, line 1: expected a number of frames" in data.problems[1]


def test_ntu_videos_alone_keep_all_samples(tmp_path):
    touch(tmp_path, ["rgb/S001C002P005R002A008_rgb.avi", "depth/S001C002P001R001A001_rgb.avi"])
    data = open_dataset("ntu60", tmp_path)
    assert data.ids == ["S001C002P005R002A008"] and data.skeleton is None


def test_a_sample_that_is_there_twice_is_an_error(tmp_path):
    for folder in "ab":
        official.write_ntu(tmp_path / folder / "S001C002P001R001A003.skeleton")
    with pytest.raises(ValueError, match="S001C002P001R001A003 is there twice, as .*/a/.* and .*/b/"):
        open_dataset("ntu60", tmp_path)


# Toyota Smarthome


@pytest.mark.parametrize(
    ("protocol", "classes", "counts"),
    [
        ("cs", "smarthome31", (8_829, 1_853, 5_433)),
        ("cs-full", "smarthome31", (10_682, 0, 5_433)),
        ("cv1", "smarthome_cv19", (1_877, 3_539, 1_901)),
        ("cv2", "smarthome_cv19", (7_806, 3_539, 1_901)),
    ],
)
def test_smarthome_counts(protocol, classes, counts):
    parts = []
    for row in pd.read_csv(NAMES / "smarthome_counts.csv").itertuples():
        subjects = [3] * row.cs_train + [19] * row.cs_val + [2] * row.cs_test
        cameras = [1] * row.cv1_train + [3] * (row.cv2_train - row.cv1_train)
        cameras += [5] * row.cv_val_cam5 + [2] * row.cv_test_cam2
        # Of classes that no cross-view list names, the camera is not known.
        cameras += [7] * (row.all - len(cameras))
        if row[1] in facts.classes(classes).values():
            clips = zip(subjects, cameras, strict=True)
            parts += [smarthome.part({"subject": s, "camera": c}, protocol) for s, c in clips]
    assert tuple(parts.count(part) for part in ("train", "validation", "test")) == counts


def test_smarthome_subjects_are_those_of_the_documents():
    def of(part):
        return {s for s in range(1, 26) if smarthome.part({"subject": s, "camera": 1}, "cs") == part}

    assert (of("train"), of("validation")) == ({3, 4, 6, 7, 9, 12, 13, 15, 17}, {19, 25})
    assert of("test") == {2, 10, 11, 14, 16, 18, 20}


def test_smarthome_versions_and_labels(tmp_path):
    deep = np.random.default_rng(0).normal(size=(1, 4, 13, 3)) + [0, 0, 4]
    content = official.smarthome_json(deep[..., :2] * [100, -100] + 300, deep)
    longer = official.smarthome_json(np.zeros((1, 6, 13, 2)), np.zeros((1, 6, 13, 3)))
    official.write_json(tmp_path / "refined" / "Cook.Cut_p03_r00_v01_c03_pose3d.json", content)
    official.write_json(tmp_path / "first" / "Cook.Cut_p03_r00_v01_c03.json", longer)
    official.write_json(tmp_path / "refined" / "Pour.Fromcup_p03_r00_v01_c03_pose3d.json", content)
    with pytest.warns(LeftOut, match="smarthome: 1 left out, they are of no official class: Pour.Fromcup"):
        data = open_dataset("smarthome", tmp_path, "cs")
    assert (data.ids, data.labels.tolist(), data.lengths.tolist()) == (["Cook.Cut_p03_r00_v01_c03"], [2], [4])
    assert (len(data.classes), data.metric, data.mirrored) == (31, "mean_class", False)
    np.testing.assert_allclose(data.pose(0).joints, deep, rtol=1e-5)
    assert open_dataset("smarthome_v1", tmp_path, "cs").lengths.tolist() == [6]
    assert len(open_dataset("smarthome", tmp_path, "cv2", "all").classes) == 19


# Small sets


def test_nw_ucla_counts(tmp_path):
    names = [line for line in (NAMES / "nw_ucla_sequences.txt").read_text().splitlines() if line[0] != "#"]
    root = touch(tmp_path, [f"all_sqe/{name}.json" for name in names])
    assert sizes("nw_ucla", root, None) == (1_020, 0, 464)
    assert sizes("nw_ucla", root, "cv2")[2] == 504 and sizes("nw_ucla", root, "cv1")[2] == 516
    data = open_dataset("nw_ucla", root, "cv3", "all")
    assert sorted(set(data.labels)) == list(range(10)) and data.mirrored
    assert data.labels[data.index("a08_s01_e00_v01")] == 6


def test_nw_ucla_original_layout(tmp_path):
    for view in (1, 3):
        folder = tmp_path / "multiview_action" / f"view_{view}" / "a12_s01_e00"
        folder.mkdir(parents=True)
        (folder / "frame_1_tc_1_skeletons.txt").write_text(official.ucla_frame([np.ones((20, 3))]))
    test = open_dataset("nw_ucla", tmp_path, "cv3", "test")
    assert (test.ids, test.labels.tolist(), test.lengths.tolist()) == (["a12_s01_e00_v03"], [9], [1])
    assert (test.pose(0).joints == 1).all() and len(test.files(0)) == 1


def test_cad60_counts(tmp_path):
    rows = facts.columns("cad60_sequences.csv")
    root = touch(tmp_path, [f"{row['folder']}/{row['id']}.txt" for row in rows] + ["data1/0512164333.txt"])
    for person in range(1, 5):
        train, _, test = sizes("cad60", root, f"leave-out:{person}")
        assert (train, test) == (45, 15) if person != 1 else train + test == 60
    data = open_dataset("cad60", root, "leave-out:2/office", "test")
    assert len(data.classes) == 4 and set(data.table["subject"]) == {2} and set(data.labels) == {0, 1, 2, 3}


def test_cad120_counts(tmp_path):
    activity = "making_cereal"
    rows = facts.columns("cad120_sequences.csv")
    files = [f"Subject{row['subject']}_annotations/{activity}/{row['id']}.txt" for row in rows]
    root = touch(tmp_path, [*files, f"Subject1_annotations/{activity}/0510175411_obj1.txt"])
    for subject in (1, 3, 4, 5):
        assert sizes("cad120", root, f"leave-out:{subject}") == (93, 0, 31)
    assert set(open_dataset("cad120", root, split="all").labels) == {3}


def test_msrdaily_counts(tmp_path):
    every = [(a, s, e) for a in range(1, 17) for s in range(1, 11) for e in (1, 2)]
    root = touch(tmp_path, [f"a{a:02d}_s{s:02d}_e{e:02d}_rgb.avi" for a, s, e in every])
    assert sizes("msrdaily", root, "leave-out:7") == (288, 0, 32)
    assert sizes("msrdaily", root, "cs") == sizes("msrdaily", root, "cs-first5") == (160, 0, 160)
    assert set(open_dataset("msrdaily", root, "cs", "test").table["subject"]) == {2, 4, 6, 8, 10}


# RGB sets


def test_ucf101_splits_follow_groups(tmp_path):
    files = [f"UCF-101/{c}/v_{c}_g{g:02d}_c01.avi" for c in ("YoYo", "HandstandPushups") for g in range(1, 26)]
    root = touch(tmp_path, [name.replace("v_Handstand", "v_HandStand") for name in files])
    for number, groups in ((1, range(1, 8)), (2, range(8, 15)), (3, range(15, 22))):
        data = open_dataset("ucf101", root, f"split{number}", "test")
        assert len(data) == 14 and {int(s.split()[1]) for s in data.table["subject"]} == set(groups)
        train = open_dataset("ucf101", root, f"split{number}")
        assert len(train) == 36 and not set(train.table["subject"]) & set(data.table["subject"])
    assert {data.classes[label] for label in data.labels} == {"YoYo", "HandstandPushups"}


def test_hmdb51_lists(tmp_path):
    lists = tmp_path / "testTrainMulti_7030_splits"
    names = {"wave": ["a_wave_x!(1)#.avi", "b[2]~.avi", "c;d.avi"], "walk": ["e & f+g@h.avi"]}
    root = touch(tmp_path, [f"{label}/{name}" for label, found in names.items() for name in found])
    lists.mkdir()
    (lists / "wave_test_split2.txt").write_text("a_wave_x!(1)#.avi 1 \nb[2]~.avi 2 \nc;d.avi 0 \n")
    (lists / "walk_test_split2.txt").write_text("e & f+g@h.avi 1 \r\ngone.avi 2 \r\n", newline="")
    with pytest.warns(LeftOut, match="hmdb51: 1 left out, they are in the lists but not in the folder: gone"):
        assert open_dataset("hmdb51", root, "split2").ids == ["a_wave_x!(1)#", "e & f+g@h"]
    assert sizes("hmdb51", root, "split2") == (2, 0, 1)
    with pytest.raises(FileNotFoundError, match="_test_split1.txt"):
        open_dataset("hmdb51", root, "split1")
    (lists / "wave_test_split2.txt").write_text("a_wave_x!(1)#.avi 3\n")
    with pytest.raises(ValueError, match="wave_test_split2.txt, line 1: expected a file name and 0, 1 or 2"):
        open_dataset("hmdb51", root, "split2")


@pytest.mark.parametrize("name", ["kinetics400", "kinetics600", "kinetics700"])
def test_kinetics_lists(tmp_path, name):
    header = "label,youtube_id,time_start,time_end,split,is_cc\n"
    (tmp_path / "train.csv").write_text(header + "zumba,-_abcdefg_1,3,13,train,0\nabseiling,gonegonegon,0,10,train,0\n")
    (tmp_path / "val.csv").write_text(header + '"zumba",hijklmnopq2,10,20,val,0\n')
    (tmp_path / "test.csv").write_text("youtube_id,time_start,time_end,split\nrstuvwxyz_3,0,10,test\n")
    touch(tmp_path, ["a/-_abcdefg_1_000003_000013.mp4", "b/hijklmnopq2.mp4", "c/rstuvwxyz_3_000000_000010.mp4"])
    with pytest.warns(LeftOut, match=f"{name}: 1 left out, they are among the 4 of the lists but not in the folder"):
        data = open_dataset(name, tmp_path)
    assert data.ids == ["-_abcdefg_1_000003_000013"] and data.classes[data.labels[0]] == "zumba"
    assert sizes(name, tmp_path, "val") == (1, 0, 1) and sizes(name, tmp_path, "lists") == (1, 1, 0)


def test_kinetics_folders_spell_classes_their_own_way(tmp_path):
    touch(
        tmp_path, ["train/tai_chi/a.mp4", "kinetics_val/shooting goal (soccer)/b.mp4", "val/shooting_goal_soccer/c.mp4"]
    )
    data = open_dataset("kinetics400", tmp_path, "lists", "all")
    assert sorted({data.classes[i] for i in data.labels}) == ["shooting goal (soccer)", "tai chi"]
    assert sizes("kinetics400", tmp_path, "lists") == (1, 2, 0)


# Untrimmed sets


def test_charades(tmp_path):
    header = "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\n"
    row = '{},S1,Kitchen,6,7,Yes,"A person, cooking",food,"one, two",{},30.00\n'
    (tmp_path / "Charades_v1_train.csv").write_text(
        header + row.format("AAAAA", "c092 11.90 31.20;c001 5.00 4.00;c156 3 8") + row.format("BBBBB", "")
    )
    (tmp_path / "Charades_v1_test.csv").write_text(header + row.format("CCCCC", "c000 0.00 2.00"))
    with pytest.warns(LeftOut, match="charades, 1 intervals: 1 left out"):
        data = open_dataset("charades", tmp_path)
    assert data.ids == ["AAAAA", "BBBBB"] and data.labels.tolist() == [-1, -1] and len(data.classes) == 157
    assert data.instances[["video", "label", "start", "end"]].to_numpy().tolist() == [
        ["AAAAA", 156, 3, 8], ["AAAAA", 92, 11.9, 30.0],
    ]  # fmt: skip
    assert (data.table["duration"].tolist(), data.lengths.tolist(), data.metric) == ([30, 30], [720, 720], "frame_map")
    assert len(charades.videos(tmp_path, "all")) == 3 and len(charades.intervals(tmp_path, "test")) == 1
    (tmp_path / "Charades_v1_test.csv").write_text(header + row.format("CCCCC", "c157 0 2"))
    with pytest.raises(ValueError, match="test.csv, video CCCCC: expected an action such as 'c092 11.90 21.20'"):
        charades.intervals(tmp_path, "test")


def pku_ids():
    numbers = [n for n in range(2, 365) if not 247 <= n <= 250]
    return [f"{n:04d}-{view}" for n in numbers for view in "LMR" if (n, view) != (60, "L")]


def test_pku_counts(tmp_path):
    for name in pku_ids():
        (tmp_path / "Train_Label_PKU_final").mkdir(exist_ok=True)
        (tmp_path / "Train_Label_PKU_final" / f"{name}.txt").write_text("51,30,60,2\r\n1,90,120,0\r\n")
    assert len(pku_mmd.videos(tmp_path, "all")) == 1_076
    for protocol, counts in (("cs", (944, 132)), ("cv", (717, 359))):
        assert tuple(len(pku_mmd.videos(tmp_path, split, protocol)) for split in ("train", "test")) == counts
    found = pku_mmd.intervals(tmp_path, "test")
    assert len(found) == 264 and found.iloc[0][["label", "start", "end"]].tolist() == [50, 1.0, 2.0]


def test_pku_poses_defects_and_second_phase(tmp_path):
    labels, skeletons = tmp_path / "Train_Label_PKU_final", tmp_path / "PKU_Skeleton_Renew"
    labels.mkdir(), skeletons.mkdir()
    for name in ("0043-L", "A01N01-L"):
        (labels / f"{name}.txt").write_text("1,4925,4036,2\n2,10,40,2\n")
        (skeletons / f"{name}.txt").write_text(official.pku_text(np.ones((60, 2, 25, 3)), " "))
    with pytest.warns(
        LeftOut, match="pku_mmd, 1 intervals: 1 left out, they hold intervals that end before they start"
    ):
        data = open_dataset("pku_mmd", tmp_path)
    assert data.ids == ["0043-L"] and len(data.instances) == 1 and data.pose(0).joints.shape == (2, 60, 25, 3)
    assert (data.lengths.tolist(), data.table["duration"].tolist(), data.metric) == ([60], [2.0], "event_map")
    with pytest.raises(FileNotFoundError, match="holds no cross_subject_v2.txt"):
        open_dataset("pku_mmd", tmp_path, "cs-2")
    (tmp_path / "cross_subject_v2.txt").write_text(
        "Training videos: \nA01N01-L, \nValidataion videos: \nA01N01-R,A01N01-M\n"
    )
    with pytest.warns(LeftOut):
        assert open_dataset("pku_mmd", tmp_path, "cs-2").ids == ["A01N01-L"]


def test_tsu_csv_and_json(tmp_path):
    folder = tmp_path / "Annotation" / "P02"
    folder.mkdir(parents=True)
    for name in ("P02T02C03", "P03T01C02"):
        (folder / f"{name}.csv").write_text("event,start_frame,end_frame\nWalk,25,75\nEnter,50,50\n")
    entry = {"subset": "testing", "duration": 1000, "actions": [[1, 25, 100]]}
    official.write_json(tmp_path / "smarthome_CS_51.json", {"P02T02C03": entry})
    with pytest.warns(LeftOut, match="tsu, 1 intervals"):
        data = open_dataset("tsu", tmp_path, "cs", "test")
    assert data.ids == ["P02T02C03"]
    assert data.instances[["label", "start", "end"]].to_numpy().tolist() == [[1, 1, 3]]
    assert tsu.videos(tmp_path, "test", "cv")["id"].tolist() == ["P03T01C02"]
    found = open_dataset("tsu", tmp_path, "cs-json", "test")
    assert found.instances["end"].tolist() == [4.0] and found.table["duration"].tolist() == [40.0]


def test_thumos14_and_multithumos(tmp_path):
    (tmp_path / "Billiards_val.txt").write_text("video_validation_0000266  72.8 76.4\n")
    (tmp_path / "Diving_test.txt").write_text("video_test_0000004 1.0 2.0\nvideo_test_0000270 3 4\n")
    (tmp_path / "Ambiguous_test.txt").write_text("video_test_0000004 5.0 6.0\nvideo_test_0001292 1 2\n")
    (tmp_path / "detclasslist.txt").write_text("7 BaseballPitch\n")
    tests = {protocol: thumos14.videos(tmp_path, "test", protocol)["id"].tolist() for protocol in thumos14.PROTOCOLS}
    assert tests["all"] == ["video_test_0000004", "video_test_0000270", "video_test_0001292"]
    assert tests["official"] == tests["all"][:2] and tests["clean"] == tests["all"][:1]
    data = open_dataset("thumos14", tmp_path, "clean", "test")
    assert data.instances[["label", "ambiguous"]].to_numpy().tolist() == [[7, False], [-1, True]]
    assert open_dataset("thumos14", tmp_path).instances["label"].tolist() == [2]
    dense = tmp_path / "dense"
    entry = {"subset": "training", "duration": 100, "actions": [[65, 1.5, 2.5], [1, 0, 9]]}
    official.write_json(dense / "multithumos.json", {"video_validation_0000266": entry})
    of_json = multithumos.intervals(dense, "train")
    (dense / "NoHuman.txt").write_text("video_validation_0000266 1.5 2.5\n")
    (dense / "BaseballPitch.txt").write_text("video_validation_0000266 0 9\n")
    pd.testing.assert_frame_equal(multithumos.intervals(dense, "train"), of_json)
    assert of_json["label"].tolist() == [0, 64]
    (dense / "NoHuman.txt").write_text("video_validation_0000266 x 2.5\n")
    with pytest.raises(ValueError, match="NoHuman.txt, line 1: expected '<video> <start> <end>'"):
        multithumos.intervals(dense, "train")


# What all have in common


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in ("synthadl", "manifest", "shards", "pyskl")])
def test_every_source_says_what_it_misses(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f"no folder at .*gone, where {name} was looked for"):
        open_dataset(name, tmp_path / "gone")
    with pytest.raises(ValueError, match=f"{name} has no protocol 'x'; known: "):
        open_dataset(name, tmp_path, "x")
    with pytest.raises((FileNotFoundError, ValueError), match=str(tmp_path)):
        open_dataset(name, tmp_path)


def test_poses_are_fitted_to_videos_within_a_tolerance(tmp_path):
    from workbench.data.formats.pose_reader import fitted

    pose = open_dataset("ntu60", official.write_ntu(tmp_path / "S001C002P001R001A001.skeleton", 10).parent).pose(0)
    assert fitted(pose, 8, "f").joints.shape[1] == 8
    longer = fitted(pose, 13, "f")
    assert np.isnan(longer.joints[:, 10:]).all() and longer.confidence[:, 10:].sum() == 0
    assert longer.frame_numbers.tolist() == list(range(13))
    with pytest.raises(ValueError, match="f has poses for 10 frames, its video has 16"):
        fitted(pose, 16, "f")


def test_untrimmed_sets_have_no_validation_part(tmp_path):
    (tmp_path / "Billiards_val.txt").write_text("video_validation_0000266  72.8 76.4\n")
    data = open_dataset("thumos14", tmp_path, split="validation")
    assert len(data) == len(data.instances) == len(data.lengths) == 0


def test_poses_without_videos_make_batches(tmp_path):
    for subject in (1, 2, 4, 5):
        official.write_ntu(tmp_path / f"S001C002P{subject:03d}R001A003.skeleton", frames=12, seed=subject)
    data = open_dataset("ntu60", tmp_path, "cs")
    spec = ClipSpec(frames=8, size=(32, 32), crop="frame", poses=8)
    (batch,) = Loader(data, spec, 4, needs=frozenset({"pose", "label"}), cache=tmp_path / "cache")
    assert batch.pose.shape == (4, 1, 8, 25, 3) and batch.label.tolist() == [2] * 4
    assert batch.pose.isfinite().all() and batch.pose.abs().sum() > 0
