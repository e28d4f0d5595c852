"""Random adults: phenotypes, the weights of their targets, and the resulting base meshes.

MakeHuman's macro targets are blended by products of piecewise-linear weights (docs/body.md, 6, step 2).
"""

from __future__ import annotations

import itertools
import zipfile

import numpy as np

from scripts.assets.open_body.source import Base, read_target

GENDERS, RACES, AGES = ("male", "female"), ("african", "asian", "caucasian"), ("young", "old")
AGE_ANCHORS = (2 / 3, 1.0)  # of the full scale newborn -1/3 .. old 1; adults only
LEVELS, LEVEL_ANCHORS = ("min", "average", "max"), (0.0, 0.5, 1.0)
LOCALS = {  # parameter -> target files whose "-decr"/"-incr" it blends
    "torso-scale-horiz": ("torso/torso-scale-horiz",),
    "torso-scale-vert": ("torso/torso-scale-vert",),
    "torso-scale-depth": ("torso/torso-scale-depth",),
    "hip-scale-horiz": ("hip/hip-scale-horiz",),
    "shoulder-dist": ("torso/measure-shoulder-dist",),
    "upperleg-height": ("legs/measure-upperleg-height",),
    "lowerleg-height": ("legs/measure-lowerleg-height",),
    "upperarm-length": ("arms/measure-upperarm-length",),
    "lowerarm-length": ("arms/measure-lowerarm-length",),
}


def sample_adults(count: int, seed: int) -> list[dict]:
    """``count`` random phenotypes of adults."""
    rng = np.random.default_rng(seed)
    adults = []
    for _ in range(count):
        adults.append(
            {
                "gender": rng.beta(0.4, 0.4),
                "age": 2 / 3 + rng.beta(1.0, 2.5) / 3,
                "muscle": np.clip(rng.normal(0.5, 0.17), 0, 1),
                "weight": np.clip(rng.normal(0.5, 0.2), 0, 1),
                "height": np.clip(rng.normal(0.38, 0.065), 0, 1),
                "proportions": rng.uniform(0.4, 1.0),
                "cup": np.clip(rng.normal(0.45, 0.15), 0, 1),
                "firmness": np.clip(rng.normal(0.55, 0.15), 0, 1),
                "race": rng.dirichlet((1.0, 1.0, 1.0)),
                "locals": np.clip(rng.normal(0.0, 0.15, len(LOCALS)), -0.5, 0.5),
            }
        )
    return adults


def reference_adults(count: int, seed: int) -> list[dict]:
    """Adults of the two heights at which MakeHuman's joint markers are correct (docs/body.md, 6, step 8)."""
    adults = sample_adults(count, seed)
    for number, adult in enumerate(adults):
        female = number % 2
        adult.update(gender=float(female), height=0.52 if female else 0.42, locals=np.zeros(len(LOCALS)))
    return adults


def _split(value: float, names: tuple[str, ...], anchors: tuple[float, ...]) -> dict[str, float]:
    """Piecewise-linear weights of the anchors around ``value``."""
    eye = np.eye(len(names))
    return {name: float(np.interp(value, anchors, eye[k])) for k, name in enumerate(names)}


def target_weights(adult: dict) -> dict[str, float]:
    """Target file -> weight of one phenotype."""
    gender = _split(adult["gender"], GENDERS, (0.0, 1.0))
    age = _split(adult["age"], AGES, AGE_ANCHORS)
    levels = {
        key: _split(adult[key], LEVELS, LEVEL_ANCHORS) for key in ("muscle", "weight", "cup", "firmness")
    }
    height = _split(adult["height"], ("min", "max"), (0.0, 1.0))
    proportions = _split(adult["proportions"], ("uncommon", "ideal"), (0.0, 1.0))
    out: dict[str, float] = {}
    for g, a in itertools.product(GENDERS, AGES):
        base = gender[g] * age[a]
        for race, share in zip(RACES, adult["race"], strict=True):
            out[f"macrodetails/{race}-{g}-{a}"] = base * float(share)
        for mu, we in itertools.product(LEVELS, LEVELS):
            w = base * levels["muscle"][mu] * levels["weight"][we]
            body = f"{a}-{mu}muscle-{we}weight"
            out[f"macrodetails/universal-{g}-{body}"] = w
            for k, share in height.items():
                out[f"macrodetails/height/{g}-{body}-{k}height"] = w * share
            for k, share in proportions.items():
                out[f"macrodetails/proportions/{g}-{body}-{k}proportions"] = w * share
            if g == "female":
                for cup, firm in itertools.product(LEVELS, LEVELS):
                    share = levels["cup"][cup] * levels["firmness"][firm]
                    out[f"breast/female-{body}-{cup}cup-{firm}firmness"] = w * share
    for value, files in zip(adult["locals"], LOCALS.values(), strict=True):
        for name in files:
            out[f"{name}-incr"], out[f"{name}-decr"] = max(float(value), 0.0), max(float(-value), 0.0)
    return out


class ShapeSpace:
    """Every target the adults need, read once."""

    def __init__(self, wheel: zipfile.ZipFile, base: Base):
        """Read the targets (354 files, a few seconds)."""
        self.rest = base.vertices
        names = list(target_weights(sample_adults(1, 0)[0]))
        found = [(name, read_target(wheel, name, len(base.vertices))) for name in names]
        self.names = [name for name, target in found if target is not None]
        self.targets = np.stack([t.reshape(-1) for _, t in found if t is not None])

    def vertices(self, adults: list[dict]) -> np.ndarray:
        """(len(adults), 19158, 3) rest vertices in MakeHuman's own pose, metres."""
        table = [target_weights(adult) for adult in adults]
        weights = np.array([[row[name] for name in self.names] for row in table])
        offsets = (weights @ self.targets).reshape(len(adults), -1, 3)
        return self.rest + offsets
