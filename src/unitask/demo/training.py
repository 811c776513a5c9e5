"""Training the demo model from nothing: first the coder of pictures, then the flow. Broken off, it goes on later."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from unitask.demo.exam import Marks, examine
from unitask.demo.learning import Learner, Pace
from unitask.demo.lessons import PICTURES, Denoising, Lessons, coding_loss, trained_scenes
from unitask.demo.networks import Networks

VAE_SHARE: Final = 0.25
_NEAR_SHARE: Final = 0.65
"""How long the coder looks at things from near before it sees whole pictures."""
VAE_RATE: Final = 2e-3
RATE: Final = 1.5e-3
SAVED_EVERY_S: Final = 60.0
EXAMINED_EVERY_S: Final = 300.0
_QUICK_EXAM: Final = 72
_SHOWN_LOSSES: Final = 50
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Training:
    """One training: `folder` keeps what is needed to go on, `now` gives seconds, `say` takes a line of progress.

    `pictures` is how many scenes are drawn for the flow, over and over.
    """

    folder: Path
    seconds: float
    seed: int
    now: Callable[[], float]
    say: Say
    pictures: int = PICTURES

    def run(self) -> Networks:
        """Train, from where an earlier run in this folder stopped, until the time is spent; gives what was learned."""
        self.folder.mkdir(parents=True, exist_ok=True)
        networks = Networks.fresh(self.seed)
        self._code(networks)
        self.say("drawing the lessons")
        lessons = Lessons.drawn(networks, self.seed, self.pictures)
        with sdpa_kernel(SDPBackend.MATH):  # forward it is no faster here, backward twice as slow otherwise
            self._flow(networks, lessons)
        return networks

    def _code(self, networks: Networks) -> None:
        vae, known = networks.vae.to(memory_format=torch.channels_last), trained_scenes()
        pace = Pace(self.seconds * VAE_SHARE, self.now)
        learner = Learner(vae, pace, rate=VAE_RATE)

        def loss(step: int) -> torch.Tensor:
            near = pace.spent_s < _NEAR_SHARE * pace.seconds
            return coding_loss(vae, known, _number(self.seed, step), near=near)

        self._teach("vae", learner, loss, lambda: "")
        learner.give_average(vae)

    def _flow(self, networks: Networks, lessons: Lessons) -> None:
        denoising = Denoising(networks)
        learner = Learner(denoising, Pace(self.seconds * (1 - VAE_SHARE), self.now), rate=RATE)

        def examined() -> str:
            learned = Networks.fresh(self.seed)
            learned.vae.load_state_dict(networks.vae.state_dict())
            learned.vae.register_to_config(**_scale(networks.vae))
            learner.give_average(Denoising(learned))
            return str(examine(_quiet(learned.pipeline()), _QUICK_EXAM))

        self._teach("flow", learner, lambda step: denoising.loss(lessons, _number(self.seed, step)), examined)
        learner.give_average(denoising)

    def _teach(
        self, name: str, learner: Learner, loss: Callable[[int], torch.Tensor], examined: Callable[[], str]
    ) -> None:
        path = self.folder / f"{name}.pt"
        if path.exists():
            learner.take(torch.load(path, weights_only=True))
            self.say(f"{name}: goes on after {learner.steps} steps")
        saved_s = examined_s = learner.pace.spent_s
        losses: list[float] = []
        while (share := learner.pace.share()) < 1:
            found = loss(learner.steps)
            learner.learn(found)
            losses = [*losses[1 - _SHOWN_LOSSES :], found.item()]
            if learner.pace.spent_s - saved_s > SAVED_EVERY_S:
                saved_s = learner.pace.spent_s
                self._save(path, learner)
                self.say(f"{name}: {share:.0%}, {learner.steps} steps, loss {sum(losses) / len(losses):.4f}")
            if learner.pace.spent_s - examined_s > EXAMINED_EVERY_S:
                examined_s = learner.pace.spent_s
                if marks := examined():
                    self.say(f"{name}: {marks}")
        self._save(path, learner)

    def _save(self, path: Path, learner: Learner) -> None:
        partial = path.with_suffix(".partial")
        torch.save(learner.state(), partial)
        partial.replace(path)


def measured(networks: Networks, prompts: int) -> Marks:
    """Say how often what was learned is right with prompts that it never saw."""
    return examine(_quiet(networks.pipeline()), prompts)


def _quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _scale(vae: Any) -> dict[str, float]:
    return {name: vae.config[name] for name in ("scaling_factor", "shift_factor")}


def _number(seed: int, step: int) -> int:
    """Give each step of each seed a number for its chance."""
    return seed * 10**7 + step
