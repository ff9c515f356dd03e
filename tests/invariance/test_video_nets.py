"""What must not change the video backbones' answer, or must change it in one known way."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from workbench.nets import R3D50G, S3DG, NonLocal, ResNeXt3D

KINDS = [R3D50G, S3DG, ResNeXt3D]


def trained(kind: type, **options) -> nn.Module:
    """With the statistics of random clips, as an untrained network's features are next to zero without."""
    torch.manual_seed(0)
    network = kind(width=0.125, bn_momentum=1.0, **options)
    with torch.no_grad():
        network(torch.randn(4, 3, 9, 33, 33))
    return network.eval()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("axis", [2, 3, 4])
def test_mirrored_kernels_on_a_mirrored_clip_give_the_mirrored_map(kind, axis):
    # Odd sizes are padded alike on both sides at every level.
    network, video = trained(kind, output_stride=(4, 16, 16)).double(), torch.randn(1, 3, 9, 33, 33).double()
    with torch.no_grad():
        expected = network(video).flip(axis)
        for module in network.modules():
            if isinstance(module, nn.Conv3d):
                module.weight.data = module.weight.data.flip(axis)
        mirrored = network(video.flip(axis))
    assert expected.std() > 1e-2 and not torch.allclose(mirrored, mirrored.flip(axis), rtol=1e-2)
    torch.testing.assert_close(mirrored, expected)


@pytest.mark.parametrize("kind", KINDS)
def test_order_and_company_in_a_batch_do_not_matter(kind):
    network, video = trained(kind), torch.randn(3, 3, 8, 32, 32)
    with torch.no_grad():
        whole = network(video)
        torch.testing.assert_close(network(video[[2, 0, 1]]), whole[[2, 0, 1]], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(network(video[1:2]), whole[1:2], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(whole[0], whole[1], rtol=1e-2)


def test_r3d50g_sees_time_at_full_rate():
    # A clip that is one frame later: the same cells one step later, away from the ends, without gates.
    network, video = trained(R3D50G), torch.randn(1, 3, 40, 32, 32)
    for name, parameter in network.named_parameters():
        if ".fc." in name:
            nn.init.zeros_(parameter)
    with torch.no_grad():
        whole, later = network(video), network(video[:, :, 1:])
    reach = 2 + 3 + 2 + 3 + 2  # of conv1's 5 frames, and of the cells with 3 in res2, res3, res4, res5
    torch.testing.assert_close(later[:, :, reach:-reach], whole[:, :, 1 + reach : -reach], rtol=1e-3, atol=1e-4)


def test_non_local_block_does_not_know_the_order_of_frames():
    torch.manual_seed(0)
    block, x, order = NonLocal(8).eval(), torch.randn(2, 8, 4, 4, 6), [2, 0, 3, 1]
    nn.init.ones_(block.W[1].weight)
    z, affinity = block.attend(x)
    shuffled, rows = block.attend(x[:, :, order])
    torch.testing.assert_close(shuffled, z[:, :, order])
    by_frame = affinity.view(2, 4, 24, 4, 6)[:, order][:, :, :, order]
    torch.testing.assert_close(rows, by_frame.flatten(3).flatten(1, 2))
