"""The Trainer's loss: normalised over the whole optimiser step, shifted for causal models, honest on misuse."""

import pytest
import torch
from torch import nn

import symloss
from symloss.adapters.huggingface import compute_loss_func
from symloss.errors import FormulaError

LOGITS = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 4, -100, 2, 2])


class CausalLMOutput(dict):
    """Named as a causal model's output is."""


def test_a_sum_over_targets_is_divided_by_the_items_of_the_whole_step():
    loss, summed = compute_loss_func("gce"), symloss.load("gce", "sum")(LOGITS, LABELS)
    assert loss({"logits": LOGITS}, LABELS, num_items_in_batch=20) == pytest.approx(float(summed) / 20)
    assert loss((LOGITS,), LABELS, torch.tensor(20)) == pytest.approx(float(summed) / 20)
    assert loss({"logits": LOGITS}, LABELS, torch.tensor([20, 20])) == pytest.approx(float(summed) / 20)
    assert loss({"logits": LOGITS}, LABELS) == pytest.approx(float(symloss.load("gce")(LOGITS, LABELS)))


def test_probabilities_are_counted_once_for_each_example():
    soft = LOGITS.flip(0).softmax(1)
    got = compute_loss_func("gce")({"logits": LOGITS}, soft, num_items_in_batch=soft.numel())
    assert got == pytest.approx(float(symloss.load("gce")(LOGITS, soft)))


def test_tokens_are_targets_and_ignored_ones_are_not():
    logits, labels = LOGITS.reshape(2, 3, 5), LABELS.reshape(2, 3)
    got = compute_loss_func("cross_entropy", label_smoothing=0.1)({"logits": logits}, labels, 5)
    expected = nn.functional.cross_entropy(LOGITS, LABELS, label_smoothing=0.1)
    assert got == pytest.approx(float(expected), rel=1e-5)


def test_a_causal_model_is_scored_by_the_next_token():
    logits, labels = LOGITS.reshape(2, 3, 5), LABELS.reshape(2, 3)
    expected = float(nn.functional.cross_entropy(logits[:, :-1].reshape(-1, 5), labels[:, 1:].reshape(-1)))
    loss = compute_loss_func("cross_entropy")
    assert loss(CausalLMOutput(logits=logits), labels, 4) == pytest.approx(expected, rel=1e-5)
    assert compute_loss_func("cross_entropy", shift_labels=True)({"logits": logits}, labels, 4) == pytest.approx(
        expected, rel=1e-5
    )
    whole = compute_loss_func("cross_entropy", shift_labels=False)(CausalLMOutput(logits=logits), labels, 5)
    assert whole == pytest.approx(float(nn.functional.cross_entropy(LOGITS, LABELS)), rel=1e-5)


def test_regression_takes_values_with_or_without_a_last_axis():
    loss, values = compute_loss_func("huber"), torch.arange(6.0)
    expected = float(symloss.load("huber")(LOGITS[:, 0], values))
    assert loss({"logits": LOGITS[:, :1]}, values, 6) == pytest.approx(expected)
    assert loss({"logits": LOGITS[:, :1]}, values[:, None]) == pytest.approx(expected)


def test_a_step_without_any_target_has_no_loss():
    assert compute_loss_func("gce")({"logits": LOGITS}, torch.full((6,), -100), num_items_in_batch=0) == 0


@pytest.mark.parametrize(
    ("labels", "said"),
    [(None, "got no labels"), (LABELS[:4], r"got shape \(4,\) for logits of shape \(6, 5\)")],
)
def test_labels_that_do_not_fit_are_said(labels, said):
    with pytest.raises(ValueError, match=said):
        compute_loss_func("gce")({"logits": LOGITS}, labels)


def test_an_activation_is_no_loss():
    with pytest.raises(FormulaError, match="of the slot activation, which is no loss"):
        compute_loss_func("gelu")


def test_it_says_what_it_is():
    assert repr(compute_loss_func("mse")) == "compute_loss_func('r**2')"


# With the real library.


@pytest.fixture(scope="module")
def transformers():
    module = pytest.importorskip("transformers", reason="pip install 'symloss[huggingface]'")
    pytest.importorskip("accelerate", reason="pip install 'symloss[huggingface]'")
    module.utils.logging.set_verbosity_error()
    module.utils.logging.disable_progress_bar()
    return module


def trained(transformers, folder, model, rows, batch, steps, loss):
    """Return the parameters and the logged losses after one epoch with so many batches for each optimiser step."""
    arguments = transformers.TrainingArguments(
        str(folder), per_device_train_batch_size=batch, gradient_accumulation_steps=steps, num_train_epochs=1,
        learning_rate=0.05, lr_scheduler_type="constant", optim="sgd", max_grad_norm=0.0, logging_steps=1,
        save_strategy="no", report_to=[], use_cpu=True, seed=0, disable_tqdm=True, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = transformers.Trainer(model, arguments, train_dataset=rows, compute_loss_func=loss)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return torch.cat([each.detach().flatten() for each in model.parameters()]), losses, trainer


def classifier(transformers):
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, num_labels=3,
        max_position_embeddings=8, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


def causal(transformers):
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=20, n_positions=8, n_embd=8, n_layer=1, n_head=2, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0
    )
    return transformers.GPT2LMHeadModel(config)


def texts(count, ragged):
    """Return rows of tokens; with `ragged` the labels are the tokens, and each row ignores another number of them."""
    generator = torch.Generator().manual_seed(1)
    rows = []
    for number in range(count):
        tokens = torch.randint(0, 20, (6,), generator=generator)
        labels = tokens.clone()
        labels[6 - number % 5 :] = -100
        rows.append({"input_ids": tokens, "labels": labels if ragged else tokens[0] % 3})
    return rows


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("kind", [classifier, causal], ids=["classification", "causal"])
def test_gradient_accumulation_changes_nothing(kind, transformers, tmp_path):
    rows, loss = texts(16, ragged=kind is causal), compute_loss_func("gce")
    whole, losses, _ = trained(transformers, tmp_path, kind(transformers), rows, 8, 1, loss)
    parts, same, _ = trained(transformers, tmp_path, kind(transformers), rows, 2, 4, loss)
    before = torch.cat([each.detach().flatten() for each in kind(transformers).parameters()])
    assert float((whole - before).abs().max()) > 1e-3
    assert torch.allclose(whole, parts, atol=1e-6)
    assert losses == pytest.approx(same, abs=1e-4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_cross_entropy_trains_as_the_causal_models_own_loss(transformers, tmp_path):
    rows = texts(16, ragged=True)
    mine, _, trainer = trained(
        transformers, tmp_path, causal(transformers), rows, 2, 4, compute_loss_func("cross_entropy")
    )
    own, _, _ = trained(transformers, tmp_path, causal(transformers), rows, 2, 4, None)
    assert torch.allclose(mine, own, atol=1e-6)
    assert trainer.evaluate(rows)["eval_loss"] > 0
