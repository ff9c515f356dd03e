"""MediaPipe in a process of its own: frames come through a socket, landmarks go back.

Run by the Python of the pose environment, as ``python pose_worker.py HANDLE [MODEL]``, which has mediapipe and numpy
and not the workbench. Messages are a length (4 bytes, little endian) and that many bytes. For each video the caller
sends JSON {"frames", "height", "width", "fps"} and gets JSON {"landmarks"}; for each of its frames it sends
uint8 [H,W,3] RGB and gets float32 [33,6], or nothing where no person is found: x, y, z in metres from the middle of the
hips (x right, y down, z away from the camera), u, v as shares of the picture's sides, and the visibility.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
from collections.abc import Callable

import numpy as np

LANDMARKS = 33


def receive(channel: socket.socket) -> bytes:
    """The next message; EOFError when the other side is gone."""
    (length,) = struct.unpack("<I", _exactly(channel, 4))
    return _exactly(channel, length)


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = channel.recv(min(count, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def send(channel: socket.socket, message: bytes) -> None:
    channel.sendall(struct.pack("<I", len(message)) + message)


def serve(channel: socket.socket, make: Callable) -> None:
    """Answers until the caller goes away. ``make(fps)`` gives the context manager that finds landmarks in frames."""
    while True:
        try:
            video = json.loads(receive(channel))
        except EOFError:
            return
        send(channel, json.dumps({"landmarks": LANDMARKS}).encode())
        # A tracker of its own for each video: what was seen in one says nothing about the next.
        with make(video["fps"]) as find:
            for number in range(video["frames"]):
                frame = np.frombuffer(receive(channel), np.uint8).reshape(video["height"], video["width"], 3)
                landmarks = find(frame, number)
                send(channel, b"" if landmarks is None else landmarks.astype("<f4").tobytes())


class Solution:
    """The pose solution that mediapipe 0.10.21 brings with its model."""

    def __init__(self, fps: float) -> None:
        import mediapipe

        # Complexity 1 is the model inside the package; the others would be downloaded.
        self._pose = mediapipe.solutions.pose.Pose(model_complexity=1)

    def __enter__(self) -> Solution:
        return self

    def __exit__(self, *_: object) -> None:
        self._pose.close()

    def __call__(self, frame: np.ndarray, number: int) -> np.ndarray | None:
        result = self._pose.process(frame)
        if result.pose_landmarks is None:
            return None
        return rows(result.pose_world_landmarks.landmark, result.pose_landmarks.landmark)


class Task:
    """A model file of MediaPipe's pose landmarker (``.task``), of any release."""

    def __init__(self, fps: float, model: str) -> None:
        import mediapipe

        self._picture, self._step = mediapipe.Image, 1000 / fps
        self._srgb = mediapipe.ImageFormat.SRGB
        vision = mediapipe.tasks.vision
        options = vision.PoseLandmarkerOptions(
            base_options=mediapipe.tasks.BaseOptions(model_asset_path=model),
            running_mode=vision.RunningMode.VIDEO,
        )
        self._landmarker = vision.PoseLandmarker.create_from_options(options)

    def __enter__(self) -> Task:
        return self

    def __exit__(self, *_: object) -> None:
        self._landmarker.close()

    def __call__(self, frame: np.ndarray, number: int) -> np.ndarray | None:
        picture = self._picture(image_format=self._srgb, data=frame)
        result = self._landmarker.detect_for_video(picture, round(number * self._step))
        if not result.pose_landmarks:
            return None
        return rows(result.pose_world_landmarks[0], result.pose_landmarks[0])


def rows(world: list, image: list) -> np.ndarray:
    return np.array([
        (a.x, a.y, a.z, b.x, b.y, b.visibility) for a, b in zip(world, image, strict=True)
    ])  # fmt: skip


def main() -> None:
    model = sys.argv[2] if len(sys.argv) > 2 else None
    serve(socket.socket(fileno=int(sys.argv[1])), Solution if model is None else lambda fps: Task(fps, model))


if __name__ == "__main__":
    # Without the caller there is nobody to tell; mediapipe's threads must not hold up the end.
    main()
    sys.stdout.flush()
    os._exit(0)
