"""What the folders of public data sets hold."""

from __future__ import annotations

#: What the folders of the public sets hold, as it comes out of the official archives.
LAYOUTS = {
    **dict.fromkeys(("ntu60", "ntu120"), "nturgb+d_skeletons/*.skeleton and nturgb+d_rgb/*_rgb.avi"),
    **dict.fromkeys(("smarthome", "smarthome_v1"), "mp4/<Activity>_pPP_rRR_vVV_cCC.mp4 and the poses' .json"),
    "nw_ucla": "multiview_action/view_1/a01_s01_e00/..., or the JSON release",
    "cad60": "data1/ to data4/ with skeletons and activityLabel.txt",
    "cad120": "Subject1_annotations/ and so on",
    "msrdaily": "aXX_sXX_eXX_rgb.avi and aXX_sXX_eXX_skeleton.txt",
    **dict.fromkeys(
        ("kinetics400", "kinetics600", "kinetics700"), "the lists as CSV and <id>_000010_000020.mp4, or train/<class>/"
    ),
    "ucf101": "UCF-101/<Class>/*.avi and ucfTrainTestlist/",
    "hmdb51": "<class>/*.avi and testTrainMulti_7030_splits/",
    "charades": "Charades_v1_train.csv, Charades_v1_test.csv and <id>.mp4",
    "pku_mmd": "labels, videos and skeletons of PKU-MMD",
    "tsu": "the annotations' CSV and the videos",
    **dict.fromkeys(("thumos14", "multithumos"), "the annotations' .txt and video_*.mp4"),
}
