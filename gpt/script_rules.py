"""What a script says in other words than the source, and the program around its parts.

A rule is a form and what is written for it; _x and the like stand for any expression, `_body` for any block. Rules hold
for expressions and statements wherever they come up while the source is worked out.
"""

from gpt.config import RunConfig
from gpt.options import has_effect
from gpt.run import posed
from gpt.script_fold import Rules

# Functions that are written out where they are called: as an expression, or as statements.
INLINED = {"dropout", "gelu", "relu2", "fused_attention", "moved", "products", "learning_rate", "seed_for", "summed_loss",
           "encode", "decode", "utf8", "first_held_out", "counted"}
SPLICED = {"build", "_split", "_examples", "build_tokenizer", "make_optimizers", "train_step", "init_linear", "next_token",
           "batch", "eval_batches"}

# Functions that are written out in others, which are to run under the same decorators.
DECORATED = {"evaluate": "summed_loss"}

# Classes of which a script has one object, by module: as functions and variables, some by another name.
OBJECTS = {
    "gpt.tokenizers": {f"{kind}Tokenizer": {"tokens": "vocabulary"} for kind in ("Char", "Byte", "Bpe")},
    "gpt.data": {"Dataset": {}, "Examples": {"question": "QUESTION", "length": "EXAMPLE"}},
}
PASSED_ON = "look"  # a record that every layer is given: handed on as its parts

# module -> its names that stand for something else in another
RENAMED = {
    "gpt.tokenizers": {"build": "tokenizer_of"},
    "gpt.data": {"build": "tokenizer_of", "_windows": "windows_at", "_rows": "rows_at", "cut": "end"},
    "gpt.train": {"EVAL_TOKENS": "TOKENS_AT_ONCE", "train": "train_all", "steps": "many_steps"},
    "gpt.generate": {"generate": "generate_cached"},
}

# Options that stand as plain numbers where they are used; the others are constants at the top, these before the rest.
LITERAL = {"expansion", "queries_per_kv", "rope_base", "softcap", "beta1", "beta2", "momentum", "grad_clip", "lr_end",
           "decay", "top_k", "top_p", "val_fraction"}
FIRST = ("N_LAYER", "N_EMBD", "N_HEAD", "KV_HEADS", "HEAD_DIM", "MLP_DIM", "BLOCK_SIZE", "SIZE", "QUESTION", "EXAMPLE")
ABOUT = {"KV_HEADS": "heads of keys and values", "HEAD_DIM": "width of a head", "MLP_DIM": "hidden width of the MLP",
         "SIZE": "size of the task", "QUESTION": "characters of a question", "EXAMPLE": "and of a line of question and answer",
         "EVAL_EVERY": "steps between checks", "LENGTH": "tokens of the sample", "TEMPERATURE": "of the sample"}

# Arguments that PyTorch assumes by itself.
DEFAULTS = {
    "nn.Linear": {"bias": True}, "nn.LayerNorm": {"bias": True, "eps": 1e-5},
    "F.scaled_dot_product_attention": {"attn_mask": None, "is_causal": False, "enable_gqa": False},
    "torch.autocast": {"cache_enabled": True},
}

# What a docstring need not speak of.
LEFT_OUT = ("cache", "Raises", "Keyed by step", "Made when", "TextError", "A loss that")

# Only what is there for speed, for many threads, for resuming, or for other models goes: what is computed stays the same.
PLAIN: Rules = [
    # arithmetic
    ("0 + _x", "_x"), ("0.0 + _x", "_x"), ("_x - 0", "_x"), ("_x - _x", "0"), ("_x // 1", "_x"),
    ("1 * _x", "_x"), ("1.0 * _x", "_x"), ("_x * 1.0", "_x"), ("_x if _c else _x", "_x"), ("sum([_x, _y])", "_x + _y"),
    ("max(1, round(4 * _x))", "4 * _x"), ("max(1, round(_x))", "round(_x)"), ("N_HEAD * HEAD_DIM", "N_EMBD"),
    # parts that are off, or have a plainer name
    ("nn.Identity()(_x)", "_x"), ("nn.ModuleList([])", "()"), ("torch.add(_x, _y)", "_x + _y"),
    ("Dropout(_p, _n)", "nn.Dropout(_p)"),  # by PyTorch's own random numbers: no other thread shares them
    # fast forms beside the plain ones
    ("kernels.pays(_x)", "False"), ("kernels.linear(x, self.weight, self.bias)", "super().forward(x)"),
    ("torch.is_autocast_enabled(_x)", "False"), ("kernels.bfloat16_is_fast(stacked.device.type)", "stacked.is_cuda"),
    # one device, which has the whole text
    ("x.to(device)", "x"), ("y.to(device)", "y"), ("x.pin_memory().to(device, non_blocking=True) if _c else x", "x"),
    ("next(_m.parameters()).device", "device"),
    ("_tensor(_x)", "torch.tensor(_x, device=device)"),
    # no cache: all of the context is fed
    ("q.shape[2] > 1", "True"), ("_s > _s > 1", "False"), ("T, S = scores.shape[-2:]", "T = scores.shape[-1]"),
    ("hide_future(T, S, _w, _d)", "hide_future(T, T, _w, _d)"),
    # layers by their plain names, their parts as an attribute
    ("plain_name(_x)", "_x"),
    ("module.parts if isinstance(module, FusedLinear) else _d", "getattr(module, 'parts', _d)"),
    ("list(m.parts.values()) if isinstance(m, FusedLinear) else [m.out_features]",
     "list(getattr(m, 'parts', {'': m.out_features}).values())"),
    # random numbers
    ("torch.Generator('cpu')", "torch.Generator()"),
    ("return torch.Generator().manual_seed(int.from_bytes(_h.digest()[:8], 'little') >> 1)",
     "digest = _h.digest()\nreturn torch.Generator().manual_seed(int.from_bytes(digest[:8], 'little') >> 1)"),
    # one text and one run, from its beginning, that goes well
    ("tokenizer_of(_k, _t, _n, _v)", "build_tokenizer(_t, _n, _v)"),
    ("return Dataset(tokenizer, train, val, sha256(_t), *entropies(train, _v), _c)", ""), ("characters = _x / _y", ""),
    ("state.model", "model"), ("state.step", "step"), ("state.version += 1", ""), ("loss.detach()", "loss"),
    ("math.isfinite(loss.item())", "True"), ("step < 0", "False"), ("min(1.0, done)", "done"),
    ("if not model.training:\n    _body", "_body"), ("if model.training:\n    model.eval()", ""),
    ("for group in optimizer.param_groups:\n    for parameter in group['params']:\n        parameter.grad = None",
     "optimizer.zero_grad()"),
]

HALVED = "torch.autocast(device.type, _t, enabled=device.type == 'cuda')"  # a CPU may have no instructions for it

# Where no layer has a bias, and where there is no layer.
NO_BIAS: Rules = [
    ("biases = [None] * len(rows) if module.bias is None else module.bias.split(list(rows.values()))", ""),
    ("for part, weight, bias in zip(rows, weights, biases):\n    _body",
     "for part, weight in zip(rows, weights):\n    _body"),
    ("if bias is not None:\n    bias.zero_()", ""),
    ("if bias is not None:\n    bias.uniform_(-bound, bound, generator=g)", ""),
]
NO_LAYER: Rules = [("isinstance(module, nn.Linear)", "False")]
NO_OUTPUT: Rules = [("path.endswith('.proj')", "False")]  # none that writes to the residual path

# Without weight decay there is nothing to tell matrices and vectors apart for.
NO_DECAY: Rules = [
    ("torch.optim.AdamW(decayed(_p, 0.0), lr=_l, betas=_b, fused=True)",
     "torch.optim.AdamW(_p, lr=_l, betas=_b, weight_decay=0.0, fused=True)"),
    ("torch.optim.Adam(decayed(_p, 0.0), lr=_l, betas=_b, fused=True)", "torch.optim.Adam(_p, lr=_l, betas=_b, fused=True)"),
    ("torch.optim.SGD(decayed(_p, 0.0), lr=_l, momentum=_m, fused=True)",
     "torch.optim.SGD(_p, lr=_l, momentum=_m, fused=True)"),
    ("Lion(decayed(_p, 0.0), lr=_l, betas=_b)", "Lion(_p, lr=_l, betas=_b)"),
]


def rewrites(config: RunConfig) -> Rules:
    """The rules for one config: the plain ones, and what is simpler still where an option is off."""
    model, train, muon = config.model, config.train, config.train.optimizer == "muon"
    halved, constant = train.precision == "bfloat16" and train.device != "cpu", train.schedule == "constant"
    shared = model.attention != "none" and model.kv_heads != model.heads
    conditional: list[tuple[bool, Rules]] = [
        (True, [("q.shape[1] != k.shape[1]", str(shared)), ("not layers", str(not uses_muon(config))),
                ("state.optimizers", "optimizers" if uses_muon(config) else "[optimizer]")]),
        (not shared, [("q.shape[1] // k.shape[1]", "1"), ("_x.repeat_interleave(1, dim=1)", "_x")]),
        (model.position == "alibi", [("if bias is not None:\n    return _x", "return _x"), ("mask is None", "False")]),
        (drops(config), [("batches = list(batches)", "model.eval()"),
                         ("_m.noise.reseed(_s, _t, device=_d)", "torch.manual_seed(seed_for(_s, _t, 'dropout'))")]),
        (not drops(config), [("batches = list(batches)", ""), ("_m.noise.reseed(_s, _t, device=_d)", "None"),
                             ("model.train()", "None")]),
        (config.data.tokenizer == "char", [
            ("len(vocabulary)", "len(characters)"), ("_x.decode('utf-8', 'replace')", "_x"),
            ("b''.join(vocabulary[i] for i in _x)", "''.join(characters[i] for i in _x)")]),
        (config.data.tokenizer == "byte", [
            ("len(vocabulary)", "256"), ("b''.join(vocabulary[i] for i in _x)", "bytes(_x)")]),
        (config.data.asks, [
            ("known = _x", ""), ("return Examples(tokenizer, train, val, sha256(_t), *known, question=_q, length=_l)", "")]),
        (not config.data.asks, [("int((_y != IGNORED).sum())", "_y.numel()")]),
        (not muon, [("_x * group['scale']", "_x"),
                    ("{'params': _p, 'weight_decay': _w, 'scale': _s}", "{'params': _p, 'weight_decay': _w}")]),
        (constant, [("_x + (1 - _x)", "1.0")]),
        (constant and not train.warmup and not muon, [("group['lr'] = LR", "")]),
        (not train.weight_decay and not muon, NO_DECAY),
        (not halved, [("_x.to(self.weight.dtype)", "_x"), ("kernels.bfloat16_is_fast(device.type)", "False")]),
        (halved, [("kernels.bfloat16_is_fast(device.type)", "device.type == 'cuda'"),
                  ("torch.autocast(device.type, _t) if halved else nullcontext()", HALVED),
                  ("torch.autocast(device.type, _t, cache_enabled=False) if halved else nullcontext()", HALVED)]),
        (train.device == "cpu", [("model.to(device)", "None"), ("torch.tensor(_x, device=device)", "torch.tensor(_x)"),
                                 ("_x.cpu()", "_x")]),
    ]
    return PLAIN + [rule for holds, rules in conditional if holds for rule in rules]


def uses_muon(config: RunConfig) -> bool:
    """Whether Muon is chosen, and there are matrices for it."""
    model = config.model
    layers = model.architecture == "transformer" and (model.attention != "none" or model.mlp)
    return config.train.optimizer == "muon" and layers


def drops(config: RunConfig) -> bool:
    """Whether anything is dropped out."""
    shares = [name for name in vars(config.model) if name.startswith("dropout")]
    return any(getattr(config.model, name) and has_effect(config.model, name) for name in shares)


def wording(config: RunConfig) -> list[tuple[str, str]]:
    """Words of docstrings and comments that are about other models, and what is said of this one."""
    model = config.model
    gated, window = model.activation in ("swiglu", "geglu"), " and at those WINDOW or more back" if model.window else ""
    mlp = ("W2 (f(Wg x) * W1 x). Shazeer 2020." if model.mlp_proj else "f(Wg x) * W1 x. Shazeer 2020.") if gated else \
          ("W2 f(W1 x). Vaswani et al. 2017." if model.mlp_proj else "f(W1 x).")
    tied = "# last: a table that the head shares is drawn as an embedding"
    return [
        ("W2 f(W1 x), or W2 (f(Wg x) * W1 x) when gated; W2 may be left out. Vaswani et al. 2017, Shazeer 2020.", mlp),
        ("(B, T, F) each", "(B, T, F) each" if gated else "(B, T, F)"),
        ("H or K", "H or K" if model.kv_heads != model.heads else "H"),
        ("(H, T, S)", "(H, T, T)"), ("(B, H, T, S)", "(B, H, T, T)"),
        ("-inf elsewhere: later positions, and those `window` or more back. (T, S)", f"-inf at later ones{window}. (T, T)"),
        ("0 where the last T of S positions may look", "0 where a position may look"),
        ("to the scores of the last T of S positions; None if nothing", "to the scores; None if nothing"),
        ("The same by PyTorch's kernel", "Attention by PyTorch's kernel"),
        (", for what the fused kernel cannot do; the reference for what it can", ""),
        (", laid out as Llama does", ""),
        ("(seed, its name): two models that differ in one part start equal in all others", "(SEED, its name)"),
        (tied, tied * (model.tie_weights and model.architecture == "transformer")),
        ("all targets of `batches`", "all answers in `checks`" if config.data.asks else "all tokens of `checks`"),
        (", averaged over all that are not IGNORED", ", averaged over all" + " in answers" * config.data.asks),
        (" of each as `name`", " of each"),
        ("# the likeliest is 0: nothing overflows", "# nothing overflows"),
        (" under the config's schedule and warmup", ""),
        ("# it tells every module, which small models feel", ""),
    ]


PROGRAM = '''
@torch.inference_mode()
def generate(context: list[int]):
    """Tokens that follow, each by a pass over the whole context; when it is full, its newer half goes on."""
    g = generator(cfg.sample.seed, "sample")
    for _ in range(cfg.sample.length):
        scores = model(torch.tensor([context], device=device))[0, -1].cpu()
        token = next_token(scores, cfg.sample, g)
        yield token
        context = [*context, token]
        if len(context) > cfg.model.block_size:
            context = context[-(cfg.model.block_size // 2):]


# The text
device = DEVICE
text = open(sys.argv[1] if len(sys.argv) > 1 else "input.txt", encoding="utf-8-sig").read()
data = _split(text, cfg.data.tokenizer, cfg.data.vocab_size, cfg.data.val_fraction)

# Windows spread evenly over the validation part
checks = data.eval_batches(cfg.train.eval_tokens, cfg.model.block_size)

# Training
model = build(cfg.model, tokenizer.vocab_size, cfg.train.seed)
model.to(device)
OPTIMIZERS = make_optimizers(model, cfg.train)
print(f"{sum(map(torch.numel, model.parameters())):,} parameters, validation loss {evaluate(model, checks):.4f}")

losses = []
for step in range(cfg.train.steps):
    loss = train_step(state, data, cfg.train, device)
    losses.append(loss.item())
    if (step + 1) % cfg.train.eval_every == 0 or step + 1 == cfg.train.steps:
        recent = losses[-cfg.train.eval_every:]
        print(f"step {step + 1:>6}  loss {sum(recent) / len(recent):.4f}  validation loss {evaluate(model, checks):.4f}")

# A sample
print(decode(generate(PROMPT)))
'''


TASK = '''
# The task
device = DEVICE
text = "".join(f"{question}{answer}\\n" for question, answer in examples(TASK, SIZE))
data = _examples(text, cfg.data.val_fraction, QUESTION, EXAMPLE)

# Some of the examples held out
'''

ANSWERS = '''
# Answers
right = sum(int(is_right(model, some, QUESTION).sum()) for some in val.view(-1, EXAMPLE).split(256))
print(f"exact answers: {right:,} of {len(val) // EXAMPLE:,} held-out questions")
'''


def program(config: RunConfig) -> str:
    """The source of the program, for one config."""
    text = task_program(config) if config.data.asks else PROGRAM
    text = text.replace("OPTIMIZERS", "optimizers" if uses_muon(config) else "[optimizer]")
    device = config.train.device
    if device == "cpu":
        text = text.replace("device = DEVICE\n", "").replace(", device=device", "")
    automatic = 'torch.device("cuda" if torch.cuda.is_available() else "cpu")'
    text = text.replace("DEVICE", automatic if device == "auto" else f'torch.device("{device}")')
    newline = '[index.get("\\n", 0)]' if config.data.tokenizer == "char" else 'encode("\\n")'
    written = f"encode({config.sample.prompt!r})[-cfg.model.block_size:]"
    usual = "val[:QUESTION].tolist()" if config.data.asks else newline
    text = text.replace("PROMPT", written if config.sample.prompt else usual)
    return text if config.sample.length else text[: text.index("# A sample")]


def task_program(config: RunConfig) -> str:
    """PROGRAM for a task: it makes its own text, counts exact answers, and a sample is an answer."""
    before, text = PROGRAM[: PROGRAM.index("# The text")], PROGRAM[PROGRAM.index("checks = ") :]
    before = before.replace("cfg.sample.length", str(posed(config.data, config.sample).length))
    task = TASK.replace("TASK", repr(config.data.dataset))
    return before + task + text.replace("# A sample", f"{ANSWERS.strip()}\n\n# A sample")
