"""Stable Diffusion 1.x's UNet and VAE decoder in plain PyTorch, by their published shapes: what dori's figures are held against.

Weights say nothing; time and memory do not depend on them.
"""
import math
import torch
from torch import nn
import torch.nn.functional as F

FORWARD_FLOPS = 0.803e12  # one latent of 64 x 64


def attend(q, k, v):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v)
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]), -1) @ v  # PyTorch 1


class Resnet(nn.Module):
    def __init__(self, i, o, time=None, eps=1e-5):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(32, i, eps), nn.Conv2d(i, o, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(32, o, eps), nn.Conv2d(o, o, 3, padding=1)
        self.time = nn.Linear(time, o) if time else None
        self.short = nn.Conv2d(i, o, 1) if i != o else nn.Identity()

    def forward(self, x, t=None):
        h = self.conv1(F.silu(self.norm1(x)))
        if self.time:
            h = h + self.time(t)[:, :, None, None]
        return self.short(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, width, context, heads):
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v = (nn.Linear(n, width, bias=False) for n in (width, context, context))
        self.out = nn.Linear(width, width)

    def forward(self, x, y):
        split = lambda z: z.view(z.shape[0], z.shape[1], self.heads, -1).transpose(1, 2)
        h = attend(split(self.q(x)), split(self.k(y)), split(self.v(y)))
        return self.out(h.transpose(1, 2).reshape(x.shape))


class Transformer(nn.Module):
    def __init__(self, c, context=768, heads=8):
        super().__init__()
        self.norm, self.proj_in, self.proj_out = nn.GroupNorm(32, c, 1e-6), nn.Conv2d(c, c, 1), nn.Conv2d(c, c, 1)
        self.norms = nn.ModuleList(nn.LayerNorm(c) for _ in range(3))
        self.own, self.cross = Attention(c, c, heads), Attention(c, context, heads)
        self.up, self.down = nn.Linear(c, 8 * c), nn.Linear(4 * c, c)

    def forward(self, x, y):
        n, c, h, w = x.shape
        t = self.proj_in(self.norm(x)).permute(0, 2, 3, 1).reshape(n, h * w, c)
        u = self.norms[0](t)
        t = t + self.own(u, u)
        t = t + self.cross(self.norms[1](t), y)
        value, gate = self.up(self.norms[2](t)).chunk(2, -1)
        t = t + self.down(value * F.gelu(gate))
        return x + self.proj_out(t.reshape(n, h, w, c).permute(0, 3, 1, 2).contiguous())


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        c, time = [320, 640, 1280, 1280], 1280
        self.time = nn.Sequential(nn.Linear(320, time), nn.SiLU(), nn.Linear(time, time))
        self.conv_in, self.norm, self.conv_out = nn.Conv2d(4, 320, 3, padding=1), nn.GroupNorm(32, 320), nn.Conv2d(320, 4, 3, padding=1)
        self.down, self.up, skips, i = nn.ModuleList(), nn.ModuleList(), [320], 320
        for level, o in enumerate(c):
            for _ in range(2):
                self.down.append(nn.ModuleList([Resnet(i, o, time)] + ([Transformer(o)] if level < 3 else [])))
                i = o
                skips.append(o)
            if level < 3:
                self.down.append(nn.ModuleList([nn.Conv2d(o, o, 3, 2, 1)]))
                skips.append(o)
        self.mid = nn.ModuleList([Resnet(i, i, time), Transformer(i), Resnet(i, i, time)])
        for level in (3, 2, 1, 0):
            o = c[level]
            for k in range(3):
                parts = [Resnet(i + skips.pop(), o, time)] + ([Transformer(o)] if level < 3 else [])
                self.up.append(nn.ModuleList(parts + ([nn.Conv2d(o, o, 3, padding=1)] if k == 2 and level > 0 else [])))
                i = o

    def forward(self, x, t, y):
        a = t[:, None].float() * torch.exp(torch.arange(160, device=x.device) * (-math.log(10000) / 160))
        t = F.silu(self.time(torch.cat([a.cos(), a.sin()], -1).to(x.dtype)))
        y = y.expand(x.shape[0], -1, -1)
        x = self.conv_in(x)
        skips = [x]
        for block in self.down:
            x = block[0](x) if isinstance(block[0], nn.Conv2d) else block[0](x, t)
            if len(block) > 1:
                x = block[1](x, y)
            skips.append(x)
        x = self.mid[2](self.mid[1](self.mid[0](x, t), y), t)
        for block in self.up:
            x = block[0](torch.cat([x, skips.pop()], 1), t)
            for part in list(block)[1:]:
                x = part(x, y) if isinstance(part, Transformer) else part(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.norm(x)))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_in, self.conv_out, self.norm = nn.Conv2d(4, 512, 3, padding=1), nn.Conv2d(128, 3, 3, padding=1), nn.GroupNorm(32, 128)
        self.mid, self.attention_norm, self.attention = nn.ModuleList([Resnet(512, 512), Resnet(512, 512)]), nn.GroupNorm(32, 512), \
            Attention(512, 512, 1)
        self.up, i = nn.ModuleList(), 512
        for level, o in enumerate((512, 512, 256, 128)):
            for k in range(3):
                self.up.append(nn.ModuleList([Resnet(i, o)] + ([nn.Conv2d(o, o, 3, padding=1)] if k == 2 and level < 3 else [])))
                i = o

    def forward(self, z):
        x = self.mid[0](self.conv_in(z))
        t = self.attention_norm(x).flatten(2).transpose(1, 2)
        x = x + self.attention(t, t).transpose(1, 2).reshape(x.shape)
        x = self.mid[1](x)
        for block in self.up:
            x = block[0](x)
            if len(block) > 1:
                x = block[1](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.norm(x)))
