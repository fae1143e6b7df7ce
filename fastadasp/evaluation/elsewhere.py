"""What a run may ask of a model behind a server, and where such a run computes."""

from fastadasp.errors import ConfigError
from fastadasp.evaluation.hardware import Placement, threads_of_a_job
from fastadasp.evaluation.setup import Setup
from fastadasp.models.base import Engine, Generation
from fastadasp.process.cluster import Team

UNKNOWN = "the server's"
"""Number format and attention kernel of a model behind a server."""


def elsewhere(setup: Setup) -> Placement:
    """The placement of a run whose model is served. ConfigError lists every setting that needs the model's inside."""
    problems = [*_of_merging(setup), *_of_scoring(setup), *_of_decoding(setup.generation)]
    if problems:
        raise ConfigError("\n".join(problems))
    return Placement("cpu", UNKNOWN, UNKNOWN, threads=threads_of_a_job(setup.hardware))


def check_alone(team: Team) -> None:
    """ConfigError where several processes would share the run."""
    if team.size > 1:
        raise ConfigError(
            f"a model behind a server is asked by one process, and this run has {team.size} (hardware.trainer.devices, "
            "srun or torchrun); model.concurrency says how many requests are under way at once"
        )


def _of_merging(setup: Setup) -> list[str]:
    from fastadasp.merge.none import NoReduction

    if isinstance(setup.method, NoReduction):
        return []
    return [
        f"merge: {type(setup.method).__name__} reduces tokens inside a model of this process, and model=openai asks a "
        "server; set merge=none. A server reduces by itself: fastadasp serve MODEL --merge blend_input --ratio 0.5, "
        "and a request may give the ratio by model.extra_body.mm_processor_kwargs.ratio=0.5"
    ]


def _of_scoring(setup: Setup) -> list[str]:
    task, first = setup.task, next(iter(setup.examples), None)
    if task.generates and (first is None or not task.wordings(first)):
        return []
    return [
        "task.scoring: the likelihood of given options is not known of a model behind a server, which tells only what "
        "it writes; set task.scoring=generate"
    ]


def _of_decoding(generation: Generation) -> list[str]:
    problems = []
    if generation.num_beams > 1:
        problems.append(
            f"generation.num_beams={generation.num_beams}: the chat-completions interface has no beam search; set "
            "generation=greedy or generation=sample"
        )
    if generation.engine is not Engine.auto:
        problems.append(
            f"generation.engine={generation.engine.name}: the server decodes by its own engine; set "
            "generation.engine=auto"
        )
    return problems
