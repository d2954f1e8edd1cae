"""Every option of the playground, declared once. No torch here.

Defaults are the plain GPT-2 block, small enough for a laptop. Derived values are properties, so that
`replace()` cannot leave one stale. An option added here appears in the form, on the command line, in
presets, run names, tests and the README; the only other place to touch is the line where it acts.
"""

import os
from dataclasses import dataclass, field

from gpt.options import ConfigError, choice, number, options, problems, show, switch, text
from gpt.tasks import TASKS, shape

# The form's sections in their order, with the component whose colour they carry.
GROUPS = {
    "Token mixing": "attn", "Position": "pos", "Feed-forward": "mlp", "Wiring": "res", "Regularisation": "",
    "Size": "", "Data": "", "Training": "", "Sampling": "",
}

TRANSFORMER = {"architecture": ("transformer",)}
ATTENTION = {**TRANSFORMER, "attention": ("single", "multi")}
MLP = {**TRANSFORMER, "mlp": (True,)}
SUBLAYERS = (ATTENTION, MLP)  # any sublayer at all
NORM = tuple({**sublayer, "norm": ("layer", "rms")} for sublayer in SUBLAYERS)


@dataclass(frozen=True)
class ModelConfig:
    """The model: which parts it has and how large they are."""

    architecture: str = choice("transformer", {
        "transformer": ("Transformer", "Embeddings, blocks of attention and feed-forward layers, and a head."),
        "bigram": ("Bigram table", "One table of V x V scores: the next character from the present one, nothing else."),
    }, label="Kind of model", term="architecture", group="Token mixing", part="attn", short="architecture",
        help="Everything below belongs to the Transformer; the table has no width and no layers.",
        source="Shannon 1948")
    attention: str = choice("multi", {
        "none": ("off", "Positions cannot see each other."),
        "single": ("one head", "Each position looks back once and takes one mixture of what it finds."),
        "multi": ("multi-head", "Several smaller looks at once, each free to look for something else."),
    }, label="Look back", term="self-attention", group="Token mixing", part="attn", short="attention", when=TRANSFORMER,
        help="Each position compares what it asks for with what earlier ones offer, and takes the matching contents.",
        source="Vaswani et al. 2017")
    n_head: int = number(4, 1, 32, label="Heads", term="n_head", group="Token mixing", part="attn", short="heads",
        when={**TRANSFORMER, "attention": ("multi",)}, source="Vaswani et al. 2017",
        help="How many looks run side by side. They share the width, so more heads cost nothing.")
    queries_per_kv: int = number(1, 1, 32, label="Query heads per key", term="grouped-query attention",
        group="Token mixing", part="attn", short="queries/kv", when={**TRANSFORMER, "attention": ("multi",)},
        help="Heads that share one key and value. 1 is plain multi-head; all heads on one key is multi-query.",
        source="Shazeer 2019, Ainslie et al. 2023")
    qk_norm: bool = switch(False, label="Normalise queries and keys", term="QK-norm", group="Token mixing", part="attn",
        short="QK-norm", when=ATTENTION, source="Henry et al. 2020",
        help="Brings both to length one per dimension before they are compared, so that scores cannot explode.")
    window: int = number(0, 1, 1024, zero="off", typical=16, label="Look back at most", term="sliding window",
        group="Token mixing",
        part="attn", short="window", when=ATTENTION, source="Beltagy et al. 2020",
        help="Each position sees only this many tokens, itself included.")
    softcap: float = number(0.0, 1.0, 100.0, zero="off", typical=15.0, label="Cap the scores", term="logit soft-cap",
        group="Token mixing", part="attn", short="softcap", when=ATTENTION, source="Gemma Team 2024",
        help="Squeezes attention scores smoothly into plus or minus this value: cap * tanh(score / cap).")
    attn_proj: bool = switch(True, label="Mix the heads afterwards", term="output projection", group="Token mixing",
        part="attn", short="projection", when=ATTENTION, source="Vaswani et al. 2017",
        help="A linear layer over the joined heads, so that they can exchange what they found.")

    position: str = choice("learned", {
        "none": ("off", "Order is seen only through who may look at whom."),
        "learned": ("learned", "A vector for each position, learnt like a token's and added to it."),
        "sinusoidal": ("sinusoidal", "A fixed pattern of sines of falling frequency, added to the token."),
        "rope": ("RoPE", "Queries and keys are turned by an angle that grows with position: only distance counts."),
        "alibi": ("ALiBi", "Scores fall with distance, each head at its own rate."),
    }, label="Where am I", term="position encoding", group="Position", part="pos", short="position", when=TRANSFORMER,
        help="Without it attention sees a bag of earlier tokens.",
        source="Vaswani et al. 2017, Su et al. 2021, Press et al. 2022")
    rope_base: float = number(10_000.0, 100.0, 1_000_000.0, log=True, label="Slowest rotation", term="RoPE base",
        group="Position", part="pos", short="RoPE base", when={**ATTENTION, "position": ("rope",)},
        help="The larger, the slower the last pair of dimensions turns, and the longer the distances it tells apart.",
        source="Su et al. 2021")

    mlp: bool = switch(True, label="Think it over", term="MLP", group="Feed-forward", part="mlp", short="MLP",
        when=TRANSFORMER, source="Vaswani et al. 2017",
        help="After looking around, each position works on what it gathered, by itself, in a wider hidden layer.")
    mlp_proj: bool = switch(True, label="Second layer", term="down projection", group="Feed-forward", part="mlp",
        short="second MLP layer", when=MLP, source="Vaswani et al. 2017",
        help="Brings the hidden layer back to the width. Without it the MLP is one bent layer, as wide as the model.")
    expansion: float = number(4.0, 0.25, 8.0, label="Hidden layer, times the width", term="expansion",
        group="Feed-forward", part="mlp", short="MLP x", when={**MLP, "mlp_proj": (True,)}, source="Vaswani et al. 2017",
        help="Most of a Transformer's parameters are here. Gated activations have three matrices instead of two.")
    activation: str = choice("gelu", {
        "identity": ("identity", "No bend at all: two linear layers that could be one."),
        "relu": ("ReLU", "Negative values become zero."),
        "gelu": ("GELU", "A smooth ReLU (in GPT-2's tanh form)."),
        "silu": ("SiLU", "x times its sigmoid, also called Swish."),
        "relu2": ("ReLU²", "ReLU, squared."),
        "swiglu": ("SwiGLU", "One half of the hidden layer, through SiLU, opens and closes the other."),
        "geglu": ("GEGLU", "One half of the hidden layer, through GELU, opens and closes the other."),
    }, label="Bend", term="activation", group="Feed-forward", part="mlp", short="activation", when=MLP,
        help="The nonlinearity between the two layers.",
        source="Hendrycks & Gimpel 2016, So et al. 2021, Shazeer 2020")

    residual_attn: bool = switch(True, label="Skip around attention", term="residual connection", group="Wiring",
        part="res", short="attention residual", when=ATTENTION, source="He et al. 2015",
        help="Adds the input to the output, so that gradients reach the first layer undiminished.")
    residual_mlp: bool = switch(True, label="Skip around feed-forward", term="residual connection", group="Wiring",
        part="res", short="MLP residual", source="He et al. 2015",
        when=({**MLP, "attention": ("none",)}, {**MLP, "parallel": (False,)}),
        help="The same around the MLP. Deep models without either barely train.")
    norm: str = choice("layer", {
        "none": ("off", "Activations may take any size."),
        "layer": ("LayerNorm", "Subtracts the mean, divides by the spread, then scales and shifts."),
        "rms": ("RMSNorm", "Divides by the root mean square, then scales; no mean, no shift."),
    }, label="Keep values in range", term="normalisation", group="Wiring", part="norm", short="norm", when=SUBLAYERS,
        help="Brings each position's vector to a standard size.", source="Ba et al. 2016, Zhang & Sennrich 2019")
    norm_place: str = choice("pre", {
        "pre": ("pre-LN", "In front of each sublayer; the residual path stays untouched."),
        "post": ("post-LN", "After adding the residual, as in 2017."),
        "both": ("sandwich", "In front of each sublayer and on its output."),
    }, label="Normalise where", term="norm placement", group="Wiring", part="norm", short="norm place", when=NORM,
        help="Small change, large effect on how stable deep models train.", source="Xiong et al. 2020, Ding et al. 2021")
    final_norm: bool = switch(True, label="Normalise before the head", term="final norm", group="Wiring", part="norm",
        short="final norm", when=NORM, source="Radford et al. 2019",
        help="One more norm after the last block.")
    parallel: bool = switch(False, label="Both sublayers at once", term="parallel sublayers", group="Wiring", part="res",
        short="parallel", when={**ATTENTION, "mlp": (True,)}, source="Wang & Komatsuzaki 2021",
        help="Attention and feed-forward read the same input and are added together, instead of one after the other.")
    qkv_bias: bool = switch(True, label="Bias on queries, keys, values", term="qkv bias", group="Wiring", part="attn",
        short="qkv bias", when=ATTENTION, source="Radford et al. 2019",
        help="A constant added to each. Recent models leave it out.")
    bias: bool = switch(True, label="Bias in the other layers", term="bias", group="Wiring", short="bias",
        when=SUBLAYERS, source="Radford et al. 2019",
        help="Constants in the attention projection, the MLP and the LayerNorms.")
    head_bias: bool = switch(False, label="Bias on the output scores", term="head bias", group="Wiring",
        short="head bias", when=TRANSFORMER, help="Can hold how common each character is.")
    tie_weights: bool = switch(True, label="One table for reading and writing", term="weight tying", group="Wiring",
        short="tying", when=TRANSFORMER, source="Press & Wolf 2017",
        help="The output scores reuse the embedding table, which saves V x C parameters.")
    init: str = choice("gpt2", {
        "torch": ("PyTorch", "What PyTorch does unasked: embeddings N(0, 1), linear layers uniform within 1/sqrt(inputs)."),
        "normal": ("normal", "All weights N(0, 0.02)."),
        "gpt2": ("GPT-2", "N(0, 0.02), smaller by sqrt(2 L) where a layer writes to the residual path."),
        "zero": ("zero output", "N(0, 0.02), and zero where a layer writes to the residual path: blocks start as nothing."),
    }, label="Starting weights", term="initialisation", group="Wiring", short="init", prefixed=True,
        help="Where training starts from. A poor start costs steps.", source="Radford et al. 2019, Zhang et al. 2019")

    dropout_embd: float = number(0.0, 0.0, 0.9, zero="off", typical=0.1, live=True, label="Forget embeddings",
        term="embedding dropout",
        group="Regularisation", short="embd dropout", when=TRANSFORMER, source="Srivastava et al. 2014",
        help="In training, zeroes this share of the values at random, so that none is relied upon.")
    dropout_attn: float = number(0.0, 0.0, 0.9, zero="off", typical=0.1, live=True, label="Forget looks",
        term="attention dropout",
        group="Regularisation", part="attn", short="attn dropout", when=ATTENTION, source="Vaswani et al. 2017",
        help="Zeroes attention weights.")
    dropout_resid: float = number(0.0, 0.0, 0.9, zero="off", typical=0.1, live=True, label="Forget sublayer outputs",
        term="residual dropout",
        group="Regularisation", part="res", short="dropout", when=SUBLAYERS, source="Hinton et al. 2012",
        help="Zeroes values at the end of each sublayer.")

    n_layer: int = number(4, 1, 24, label="Layers", term="n_layer", group="Size", short="layers", when=SUBLAYERS,
        help="How many blocks are stacked.")
    n_embd: int = number(64, 4, 1024, label="Width", term="n_embd", group="Size", short="width", when=TRANSFORMER,
        help="Numbers in each position's vector. Parameters grow with its square.")
    block_size: int = number(64, 2, 1024, label="Context", term="block_size", group="Size", short="context",
        help="How many tokens the model sees at once. Attention's cost grows with its square.")

    @property
    def drops(self) -> bool:
        return bool(self.dropout_embd or self.dropout_attn or self.dropout_resid)

    @property
    def heads(self) -> int:
        return 1 if self.attention == "single" else self.n_head

    @property
    def kv_heads(self) -> int:
        return 1 if self.attention == "single" else self.n_head // self.queries_per_kv

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.heads

    @property
    def mlp_dim(self) -> int:
        return max(1, round(self.expansion * self.n_embd)) if self.mlp_proj else self.n_embd

    def problems(self) -> list[str]:
        """What cannot work, in words: each option on its own first, then options together."""
        if wrong := problems(self):
            return wrong
        if self.architecture == "bigram" or self.attention == "none":
            return []
        multi, pair = self.attention == "multi", 2 if self.position == "rope" else 1
        unit = self.heads * pair
        if self.n_embd % unit:
            width, below = options(self)["n_embd"], self.n_embd // unit * unit
            near = [n for n in (below, below + unit) if width.low <= n <= width.high]
            fits = [h for h in range(1, 33) if self.n_embd % (h * pair) == 0 and h % self.queries_per_kv == 0]
            wrong.append(f"n_embd = {self.n_embd} cannot be shared" + f" by n_head = {self.heads}" * multi
                         + " in the pairs that position = rope turns" * (pair == 2)
                         + f": use n_embd = {' or '.join(map(str, near))}"
                         + f", or n_head = {', '.join(map(str, fits))}" * (multi and bool(fits)) + ".")
        if multi and self.n_head % self.queries_per_kv:
            fits = [q for q in range(1, self.n_head + 1) if self.n_head % q == 0]
            wrong.append(f"queries_per_kv = {self.queries_per_kv} does not divide n_head = {self.n_head}: "
                         f"use {', '.join(map(str, fits))}.")
        return wrong


@dataclass(frozen=True)
class DataConfig:
    """The text and how it is cut into tokens."""

    dataset: str = choice("tinyplays", {
        "tinyplays": ("tiny plays", "Eight verse plays written for this playground; bundled, 594,060 characters."),
        "tinyshakespeare": ("tiny Shakespeare", "40,000 lines of Shakespeare, 1,115,394 characters; downloaded on first use."),
        "own": ("my own text", "What you paste, upload or name on the command line."),
        **{name: (task.label, task.line) for name, task in TASKS.items()},
    }, label="Text", term="dataset", group="Data", short="text", source="Karpathy 2015",
        help="Losses are never comparable across texts: tiny plays is easier by about 0.25.")
    text: str = text("", 64, label="Own text", term="fingerprint", group="Data", short="text",
        when={"dataset": ("own",)}, help="The SHA-256 of the imported text: what the run was trained on, exactly.")
    size: int = number(0, 1, 62, zero="usual", label="How much is asked", term="task size", group="Data", short="size",
        when={"dataset": tuple(TASKS)}, help="Letters, digits, bits or brackets of a question, or the modulus.")
    tokenizer: str = choice("char", {
        "char": ("characters", "One token for each different character of the text."),
        "byte": ("bytes", "One token for each UTF-8 byte: 256, whatever the text."),
        "bpe": ("word pieces", "Bytes, and the commonest pairs of tokens merged into one, again and again: byte-pair encoding."),
    }, label="Cut into", term="tokenizer", group="Data", short="tokens", source="Gage 1994, Sennrich et al. 2016",
        help="What the model reads and writes one at a time. Other tokens have other losses: compare bits a character.")
    vocab_size: int = number(512, 257, 8192, log=True, label="Different tokens", term="vocab_size", group="Data",
        short="vocabulary", when={"tokenizer": ("bpe",)}, source="Sennrich et al. 2016",
        help="256 are the bytes, the others are merges learnt from the training part. More of them are longer, and rarer.")
    val_fraction: float = number(0.1, 0.01, 0.5, label="Held out for validation", term="val_fraction", group="Data",
        short="held out", help="This share, from the end of the text, is never trained on.")

    @property
    def asks(self) -> bool:
        """Whether it is a task: questions, each with one right answer."""
        return self.dataset in TASKS

    def problems(self) -> list[str]:
        wrong = problems(self)
        if not wrong and self.dataset == "own" and not self.text:
            wrong.append("dataset = own, but there is no text yet: paste or upload one, "
                         "name a file with --data.text FILE, or use dataset = tinyplays.")
        if not wrong and self.asks:
            task = TASKS[self.dataset]
            if self.size and not task.least <= self.size <= task.most:
                wrong.append(f"size = {self.size}: {self.dataset} takes {task.least} to {task.most} ({task.unit}), "
                             f"or 0 for the usual {task.usual}.")
            if self.tokenizer != "char":
                wrong.append(f"tokenizer = {self.tokenizer}: the answers of a task are counted in characters: use "
                             "tokenizer = char.")
        return wrong


AVERAGING = {"optimizer": ("adamw", "adam", "lion", "muon")}
MOMENTUM = {"optimizer": ("muon", "sgd")}
DECAYING = {"schedule": ("linear", "cosine", "wsd")}
MOST_CHECKS = 2000  # of one run: each leaves a sample on the disk


@dataclass(frozen=True)
class TrainConfig:
    """How the model is trained."""

    steps: int = number(1000, 1, 100_000, log=True, label="Steps", term="steps", group="Training", short="steps",
        help="How many batches the model learns from.")
    batch_size: int = number(16, 1, 512, log=True, label="Batch", term="batch_size", group="Training", short="batch",
        help="Pieces of text a step; each is one context long. Larger is steadier and slower.")
    lr: float = number(1e-3, 1e-5, 1.0, log=True, live=True, label="Step size", term="learning rate",
        group="Training", short="lr",
        help="How far each step moves the weights. The first thing to tune.")
    schedule: str = choice("constant", {
        "constant": ("constant", "The same throughout."),
        "linear": ("linear", "Falls in a straight line."),
        "cosine": ("cosine", "Falls along half a cosine: slowly, fast, slowly."),
        "wsd": ("warmup-stable-decay", "Constant, then a straight fall over the last part."),
    }, label="Over time", term="schedule", group="Training", short="schedule", source="Loshchilov & Hutter 2016, Hu et al. 2024",
        help="How the step size changes as training goes on.")
    warmup: int = number(0, 0, 10_000, label="Warm up over", term="warmup steps", group="Training", short="warmup",
        source="Goyal et al. 2017", help="Steps during which the step size rises from zero.")
    lr_end: float = number(0.1, 0.0, 1.0, label="Final step size", term="fraction of the learning rate", group="Training",
        short="lr end", when=DECAYING, help="Where the fall ends, as a share of the step size above.")
    decay: float = number(0.2, 0.01, 1.0, label="Last part", term="decay fraction", group="Training", short="decay",
        when={"schedule": ("wsd",)}, source="Hu et al. 2024",
        help="The fall happens in this share of the steps, warm-up not counted.")
    optimizer: str = choice("adamw", {
        "adamw": ("AdamW", "Each weight has its own step size, from the history of its gradients."),
        "adam": ("Adam", "The same, but the pull towards zero goes through the averages too."),
        "lion": ("Lion", "Only the sign of the averaged gradient counts. Wants a step size three to ten times smaller."),
        "muon": ("Muon", "Each matrix in the blocks moves as much in all its directions; AdamW does the rest. Wants about 0.02."),
        "sgd": ("SGD", "Straight down the gradient, with momentum if wanted."),
    }, label="Rule", term="optimizer", group="Training", short="optimizer", help="How gradients become steps.",
        source="Kingma & Ba 2014, Loshchilov & Hutter 2017, Chen et al. 2023, Jordan et al. 2024")
    lr_rest: float = number(0.01, 1e-5, 1.0, log=True, live=True, label="Step size of the rest", term="AdamW's learning rate",
        group="Training", short="lr rest", when={"optimizer": ("muon",)}, source="Jordan et al. 2024",
        help="For the embeddings, the head and the vectors, which are not Muon's. It follows the same schedule.")
    beta1: float = number(0.9, 0.0, 0.999, label="Memory of direction", term="beta1", group="Training", short="beta1",
        when=AVERAGING, source="Kingma & Ba 2014", help="Share of the old average kept each step.")
    beta2: float = number(0.999, 0.0, 0.9999, label="Memory of size", term="beta2", group="Training", short="beta2",
        when=AVERAGING, source="Kingma & Ba 2014", help="The same for squared gradients.")
    momentum: float = number(0.9, 0.0, 0.999, label="Momentum", term="momentum", group="Training", short="momentum",
        when=MOMENTUM, source="Polyak 1964", help="Share of the last step kept in the next.")
    weight_decay: float = number(0.0, 0.0, 1.0, zero="off", typical=0.1, live=True, label="Pull towards zero", term="weight decay",
        group="Regularisation",
        short="weight decay", source="Loshchilov & Hutter 2017", help="Shrinks matrices a little each step; vectors are left alone.")
    grad_clip: float = number(0.0, 0.01, 10.0, zero="off", typical=1.0, label="Longest gradient", term="gradient clipping",
        group="Training", short="clip", source="Pascanu et al. 2013",
        help="Longer gradients are scaled down to this length: one bad batch cannot throw the model off.")
    eval_every: int = number(100, 1, 10_000, log=True, label="Check every", term="eval_every", group="Training",
        short="eval every", help="Steps between checks on the held-out text, each with a sample.")
    eval_tokens: int = number(8192, 64, 262_144, log=True, label="Tokens a check", term="eval_tokens", group="Training",
        short="eval tokens", help="Always the same pieces of held-out text, so that checks compare.")
    seed: int = number(1, 0, 2**31 - 1, label="Seed", term="seed", group="Training", short="seed",
        help="Starting weights and the order of batches follow from it. Same seed, same run.")
    precision: str = choice("float32", {
        "float32": ("float32", "All of them: results differ between machines in the last digit only."),
        "bfloat16": ("bfloat16", "Half of them in matrix products, where the machine has instructions for it, else all."),
    }, label="Digits", term="precision", group="Training", short="precision", prefixed=True,
        help="Training's noise is larger than the digits left out. Checks and samples use all of them.",
        source="Micikevicius et al. 2017, Kalamkar et al. 2019")
    device: str = choice("auto", {
        "auto": ("best", "A CUDA card, else Apple's MPS, else the CPU."),
        "cpu": ("CPU", "Always there; fastest for the smallest models."),
        "cuda": ("CUDA", "An NVIDIA card."),
        "mps": ("MPS", "The graphics part of an Apple chip."),
    }, label="Run on", term="device", group="Training", short="on", prefixed=True,
        help="No graphics card is ever needed.")
    replay: bool = switch(False, label="Record and replay", term="CUDA graphs", group="Training", short="replay",
        when={"device": ("cuda",)}, source="Ng et al. 2021, PyTorch",
        help="Records the model's operations once and starts them together: a card waits longer for those of a small model "
             "than it works on them. Not with dropout.")

    def problems(self) -> list[str]:
        wrong = problems(self)
        if not wrong and self.warmup > self.steps:
            wrong.append(f"warmup = {show(self.warmup)} is longer than steps = {show(self.steps)}: "
                         f"use warmup = {show(self.steps // 10)} or more steps.")
        if not wrong and self.steps // self.eval_every > MOST_CHECKS:
            wrong.append(f"eval_every = {show(self.eval_every)} would make {show(self.steps // self.eval_every)} checks, "
                         f"each with a sample: use eval_every = {show(-(-self.steps // MOST_CHECKS))} or more.")
        return wrong


@dataclass(frozen=True)
class SampleConfig:
    """How text is drawn from the model. The automatic samples of a run use it too."""

    prompt: str = text("", 2000, label="Begin with", term="prompt", group="Sampling", short="prompt",
        help="Empty begins a new line.")
    length: int = number(200, 1, 5000, log=True, zero="off", label="Length", term="tokens", group="Sampling", short="length",
        help="How many tokens to write; off, a run writes none by itself.")
    temperature: float = number(0.8, 0.0, 2.0, label="Boldness", term="temperature", group="Sampling", short="temperature",
        source="Ackley et al. 1985", help="0 always takes the likeliest token; 1 follows the model; above is wilder.")
    top_k: int = number(0, 1, 500, zero="off", label="Only the likeliest", term="top-k", group="Sampling", short="top-k",
        source="Fan et al. 2018", help="Draws among this many tokens.")
    top_p: float = number(1.0, 0.05, 1.0, label="Only the likeliest share", term="top-p", group="Sampling", short="top-p",
        source="Holtzman et al. 2020", help="Draws among the likeliest tokens that together have this probability.")
    seed: int = number(1, 0, 2**31 - 1, label="Seed", term="seed", group="Sampling", short="sample seed",
        help="Same seed, same draw.")

    def problems(self) -> list[str]:
        return problems(self)


@dataclass(frozen=True)
class RunConfig:
    """All that defines a run."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    sample: SampleConfig = field(default_factory=SampleConfig)

    @property
    def context(self) -> int:
        """Tokens of a row of a batch: the context of the model, or a question and all of its answer but the last token."""
        return sum(shape(self.data.dataset, self.data.size)) - 1 if self.data.asks else self.model.block_size

    @property
    def tokens_per_step(self) -> int:
        return self.train.batch_size * self.context

    def memory_bytes(self, vocab_size: int) -> int:
        """About what training needs at its peak: activations kept for the backward pass, scores, weights; in fp32."""
        m, tokens = self.model, self.tokens_per_step
        if m.architecture == "bigram":
            return 4 * (3 * tokens * vocab_size + 4 * vocab_size**2)
        scores = m.heads * m.block_size if m.attention != "none" else 0
        activations = m.n_layer * (14 * m.n_embd + 3 * m.mlp_dim * m.mlp + 3 * scores) + 3 * vocab_size
        weights = m.n_layer * (4 * m.n_embd**2 + 3 * m.n_embd * m.mlp_dim * m.mlp) + 2 * vocab_size * m.n_embd
        return 4 * (tokens * activations + 4 * weights)

    def problems(self, vocab_size: int | None = None) -> list[str]:
        """Everything that cannot work, in words. A text of more than 256 different characters needs more memory."""
        pieces = self.data.tokenizer == "bpe"
        vocab_size = vocab_size or (self.data.vocab_size if pieces else 256)
        wrong = [p for section in (self.model, self.data, self.train, self.sample) for p in section.problems()]
        if not wrong and self.context > self.model.block_size:
            wrong.append(f"block_size = {self.model.block_size} is too short for a question and its answer: use "
                         f"block_size = {self.context} or more, or a smaller size.")
        if self.train.device == "cuda" and self.train.replay and self.model.drops:
            wrong.append("replay = on would drop the same values at every step: use replay = off, or no dropout.")
        if not wrong and (needed := self.memory_bytes(vocab_size)) > memory_limit():
            wrong.append(f"This would need about {needed / 2**30:.1f} GiB of memory and the limit is "
                         f"{memory_limit() / 2**30:g}: lower batch_size, block_size, n_layer or n_embd"
                         + (", or vocab_size." if pieces else ", or use tokenizer = byte." if vocab_size > 256 else "."))
        return wrong


def memory_limit() -> float:
    """Most bytes one run may need: 4 GiB, or GPT_PLAYGROUND_MEMORY_GIB of them. Raises ConfigError if that is no number."""
    written = os.environ.get("GPT_PLAYGROUND_MEMORY_GIB", "4")
    try:
        return float(written) * 2**30
    except ValueError as error:
        raise ConfigError([f"GPT_PLAYGROUND_MEMORY_GIB = {written!r}: use a number of gibibytes, such as 4."]) from error
