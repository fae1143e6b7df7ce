"""Command lines as tired people and broken scripts write them, drawn with a fixed seed."""

from collections.abc import Callable, Iterator
from random import Random

GROUPS = {
    "task": ["asr", "st", "er", "sqa", "sv"],
    "model": ["qwen2_audio_random", "tiny", "qwen2_audio_7b"],
    "merge": ["fastadasp", "none", "average", "chain", "h2o", "samp", "fastv", "snapkv", "random_merge"],
    "hardware": ["cpu", "auto", "h100", "h100x8", "slurm_h100x8"],
    "generation": ["greedy", "beam", "sample"],
    "logger": ["csv", "none", "wandb"],
    "experiments": ["long_audio", "startup", "paper_table1_asr"],
    "hydra/launcher": ["basic", "joblib", "submitit_local"],
}
KEYS = [
    "seed", "output_dir", "benchmark", "merge", "task", "model", "hardware", "generation", "logger", "selection", "hydra",
    "merge.ratio", "merge.layer_ratio", "merge.flops_reduction", "merge.tokens_kept", "merge.layer", "merge.schedule",
    "merge.positions", "merge.earlier_caches", "merge.proportional", "merge.seed", "merge._target_", "task._target_",
    "model._target_", "hardware._target_", "generation._target_", "task.manifest", "task.limit", "task.instruction",
    "model.layers", "model.hidden", "model.heads", "model.kv_heads", "model.max_seconds", "model.clip_seconds",
    "model.instructions", "model.weight_seed", "hardware.device", "hardware.dtype", "hardware.attention",
    "hardware.device_map", "hardware.batch_size", "hardware.num_workers", "hardware.threads", "hardware.peak_flops",
    "hardware.bandwidth", "hardware.trainer", "hardware.trainer.devices", "hardware.trainer.num_nodes",
    "hardware.trainer.strategy", "hardware.trainer.precision", "hardware.trainer.limit_test_batches",
    "hardware.trainer.fast_dev_run", "hardware.trainer.callbacks", "hardware.trainer.accelerator",
    "hardware.trainer.logger", "hardware.trainer.enable_progress_bar", "hardware.trainer.profiler",
    "generation.engine", "generation.max_new_tokens", "generation.num_beams", "generation.do_sample",
    "generation.temperature", "generation.top_k", "generation.top_p", "generation.repetition_penalty",
    "generation.length_penalty", "selection.limit", "selection.layers", "selection._target_", "hydra.run.dir",
    "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.chdir", "hydra.job.name", "hydra.verbose", "hydra.searchpath",
    "hydra.output_subdir", "hydra.mode", "hydra.job_logging", "hydra.launcher", "hydra.sweeper", "hydra.help",
    "logger.csv", "logger.csv.save_dir", "logger.csv._target_", "logger.wandb.offline", "experiments",
]  # fmt: skip
VALUES = [
    "null", "true", "false", "", "0", "1", "-1", "3", "99", "1000000", "99999999999999999999", "0.5", "1.5", "-0.0",
    "1e999", "nan", "inf", "-inf", "0x10", "1_000", "[]", "[1,2]", "[1,[2,[3]]]", "[null]", "{}", "{a:1}", "{a:{b:null}}",
    "{_target_:fastadasp.merge.average.Average}", "{_target_:os.getcwd}", "../..", "/", "/dev/null", "/proc/1/x",
    "~/x", "$HOME", "${seed}", "${merge}", "${merge.ratio}", "${oc.env:NO_SUCH_VARIABLE}", "${oc.env:HOME}",
    "${oc.decode:x}", "${fingerprint:}", "${run_folder:}", "${hydra:runtime.cwd}", "${hydra:nothing}", "???", "None", "True",
    "auto", "cpu", "cuda", "tpu", "float64", "int8", "once", "constant", "static", "ddp", "fsdp", "os.system",
    "builtins.dict", "pathlib.Path", "fastadasp", "fastadasp.merge", "fastadasp.merge.average",
    "fastadasp.merge.average.Average", "a.b.c", "a..b", ".", "fastadasp.tasks.base.Task",
    "fastadasp.models.base.ModelAdapter", "fastadasp.errors.InputError", "fastadasp.reduction.method.MergeMethod",
    "int(3)", "json_str({a:1})", "extend_list(1)", "'a(b'", '"x[/red]y"', "'[bold]'", "'a,b'", "'\u65e5\u672c\u8a9e'",
    "'\U0001f642'", "'\u202e'", "'%s'", "'{0}'", "'{instruction}'", "'<|AUDIO|>'", "'a b'", "' '", "'  x'", "x  ",
    "a" * 300, "a" * 5000, "'${'", "'!!python/object:x'", "-", "+", "*", "?", "2024-01-01", "0.1.2", "1e3", "1e-300",
]  # fmt: skip
"""Values that Hydra can read, right for some key and wrong for most."""

BROKEN = [
    "{", "}", "[", "]", "(", ")", "a(b", "a)b", "'", '"', "'half", '"half', "a,b", "a, b", ",", "a=b", "=", ":", "a:b",
    "x[/red]y", "[bold]", "${", "${}", "${x}", "range(3)", "range(0,1e9)", "choice(1,2)", "interval(0,1)", "glob(*)",
    "glob([)", "sort(3,1)", "shuffle(1,2)", "tag(a,1)", "int(x)", "float()", "str(", "bool(3)", "\\", "\\n", "\\'",
    "a\tb", "\u00e4", "\u65e5", "%s", "{0}", ";", "|", "&", "#", "!", "!!python/object:x", "@", "@x", "--", "++", "~~",
]  # fmt: skip
"""Values that Hydra cannot read, or reads as a sweep."""

FLAGS = [
    ["-m"], ["--multirun"], ["--resolve"], ["--cfg", "job"], ["--cfg", "hydra"], ["--cfg", "nothing"], ["--cfg"],
    ["--cfg", "job", "--resolve"], ["--cfg", "job", "-p", "merge"], ["--cfg", "job", "-p", "nothing"], ["--info"],
    ["--info", "defaults"], ["--info", "nothing"], ["--help"], ["-h"], ["--hydra-help"], ["--version"], ["--run"], ["-r"],
    ["-r", "-m"], ["-c"], ["--config-name", "nothing"], ["--config-name"], ["-cp", "/nowhere"], ["-cd", "/nowhere"],
    ["--config-dir", "."], ["--package", "x"], ["--experimental-rerun", "nothing.pickle"], ["--experimental-rerun"],
    ["--shell-completion"], ["-sc", "install=bash"], ["--nothing"], ["-x"], ["--"], [""], ["--multirun", "--cfg", "job"],
]  # fmt: skip
BARE = ["", "x", "=", "=3", "==", "merge", "merge.", ".ratio=1", "a=", "+", "++", "~", "~merge", "~merge.ratio", "~x",
        "~task=asr", "+x", "+=1", "++=1", "~=1", "@", "merge@", "@merge=none", "merge@merge.decoder=fastv", "merge@:=x",
        "merge@merge=none", "+merge@more=none", "hydra=x", "hydra.=1", "0=1", "a-b=1", "a b=1", "é=1", "merge.ratio",
        "merge/ratio=1", "/merge=none", "merge=none=x", "merge:ratio=1", "'merge.ratio'=1", "merge.ratio='0.3",
        "+experiments=x", "experiments=[long_audio,startup]", "logger=[csv,wandb]", "task=[asr,st]", "model=", "task=.."]  # fmt: skip


def command_lines(count: int, seed: int = 15) -> Iterator[list[str]]:
    """`count` lists of arguments of `fastadasp run`."""
    random = Random(seed)
    kinds: list[Callable[[Random], list[str]]] = [*[_setting] * 12, *[_option] * 5, _bare, _flag, _flag]
    for _ in range(count):
        arguments = [word for _ in range(random.choice([1, 1, 1, 2, 2, 3])) for word in random.choice(kinds)(random)]
        if random.random() < 0.08:
            arguments = _damaged(arguments, random)
        yield arguments


def _setting(random: Random) -> list[str]:
    key = random.choice(KEYS)
    if random.random() < 0.08:
        key += random.choice([".x", ".", "[0]", "/x", "@x", "o"])
    value = random.choice(VALUES if random.random() < 0.8 else BROKEN)
    if random.random() < 0.1:
        value += f",{random.choice(VALUES)}"
    return [f"{random.choice([*[''] * 12, '+', '++', '++', '~'])}{key}={value}"]


def _option(random: Random) -> list[str]:
    group = random.choice(list(GROUPS))
    option = random.choice(GROUPS[group] if random.random() < 0.7 else VALUES)
    return [f"{random.choice([*[''] * 9, '+', '++', '~'])}{group}={option}"]


def _bare(random: Random) -> list[str]:
    return [random.choice(BARE)]


def _flag(random: Random) -> list[str]:
    return list(random.choice(FLAGS))


def _damaged(arguments: list[str], random: Random) -> list[str]:
    """One argument with a sign more, less or changed."""
    position = random.randrange(len(arguments))
    word = arguments[position]
    at = random.randrange(len(word) + 1)
    sign = random.choice(list("=.,:;'\"()[]{}$@+~\\/ \t\n%*?!") + ["", "", "é"])
    damaged = word[:at] + sign + word[at + random.choice([0, 1]) :]
    return [*arguments[:position], damaged, *arguments[position + 1 :]]
