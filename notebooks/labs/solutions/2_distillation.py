"""Worked solutions of lab 2."""

import math

import torch
import torch.nn.functional as F


def contrast(teacher, student, positive, m):
    s = (teacher * student).sum(1)  # [P]
    log_m = math.log(m)
    # 1 - sigmoid(x) is sigmoid(-x).
    likelihood = torch.where(positive, F.logsigmoid(s - log_m), F.logsigmoid(log_m - s))
    return -likelihood.sum() / positive.sum()


def attention_distillation(teacher, student):
    gap = F.normalize(teacher, dim=1) - F.normalize(student, dim=1)
    return gap.square().sum(1).mean()


def best_constant(teacher):
    mean = F.normalize(teacher, dim=1).mean(0)
    return 2 - 2 * mean.norm()
