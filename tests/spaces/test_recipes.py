"""Recipes of NAS-Bench-NLP: to cells with the parameters that their trainer counts, back again, and refused."""

import gzip
import json

import pytest

from nas_rnn.cells import cell, layer_norm, linear, parse_cell, project
from nas_rnn.cells.graph.costs import costs
from nas_rnn.cells.graph.operations import blend, identity, sigmoid, tanh
from nas_rnn.errors import UserError
from nas_rnn.plugins import load_cell
from nas_rnn.spaces import (
    cell_from_recipe,
    load_recipe,
    load_recipes,
    names_recipe,
    recipe_from_cell,
    recipes,
)


def recipe(text: str) -> dict[str, dict[str, object]]:
    """Return the recipe of lines ``node op input input ...``."""
    lines = [line.split() for line in text.split(";")]
    return {name: {"op": op, "input": reads} for name, op, *reads in lines}


# Each recipe, then its linears, the inputs of these that are x, and those that are not.
RECIPES = {
    "simple": ("a linear x h_prev_0; h_new_0 activation_tanh a", 1, 1, 1),
    "leaky": ("a linear h_prev_0 x; h_new_0 activation_leaky_relu a", 1, 1, 1),
    "bare": ("h_new_0 linear x h_prev_0", 1, 1, 1),
    "only_x": ("a linear x; b activation_sigm a; h_new_0 elementwise_prod b h_prev_0", 1, 1, 0),
    "two_steps": ("a linear x h_prev_0; b activation_tanh a; c linear b h_prev_0; h_new_0 activation_sigm c", 2, 1, 3),
    "wide": ("a linear x h_prev_0 h_prev_1; b activation_tanh a; c linear x b; h_new_0 activation_tanh c;"
             "h_new_1 elementwise_sum b h_prev_1", 2, 2, 3),
    "shared": ("a linear x h_prev_0; g activation_sigm a; b activation_tanh a; h_new_0 blend g b h_prev_0", 1, 1, 1),
    "later_first": ("h_new_0 activation_tanh z; z linear y x; y activation_sigm w; w linear h_prev_0 x", 2, 2, 2),
    "reads_new": ("a linear x h_prev_0; h_new_0 activation_tanh a; h_new_1 elementwise_prod h_new_0 h_prev_1", 1, 1, 1),
    "gru": ("r linear x h_prev_0; ra activation_sigm r; z linear x h_prev_0; za activation_sigm z;"
            "rh elementwise_prod ra h_prev_0; n linear x rh; na activation_tanh n; h_new_0 blend za h_prev_0 na",
            3, 3, 3),
    "lstm": ("i linear x h_prev_0; ia activation_sigm i; f linear x h_prev_0; fa activation_sigm f;"
             "o linear x h_prev_0; oa activation_sigm o; g linear x h_prev_0; ga activation_tanh g;"
             "k elementwise_prod fa h_prev_1; w elementwise_prod ia ga; h_new_1 elementwise_sum k w;"
             "t activation_tanh h_new_1; h_new_0 elementwise_prod t oa", 4, 4, 4),
    "three_paths": ("a linear x h_prev_2; h_new_0 activation_tanh a; b linear h_prev_0 h_prev_1;"
                    "h_new_1 activation_sigm b; h_new_2 blend h_new_1 h_new_0 h_prev_2", 2, 1, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_gives_a_cell_with_the_parameters_of_the_formula_and_comes_back(name):
    text, linears, from_x, from_others = RECIPES[name]
    found = cell_from_recipe(recipe(text), name)
    assert parse_cell(found.to_text()) == found and found.name == name
    for i, h in ((400, 600), (600, 600), (600, 400), (3, 5)):
        assert costs(found, i, h).parameters == linears * h + from_x * i * h + from_others * h * h
    again = cell_from_recipe(recipe_from_cell(found), name)
    assert again.digest == found.digest and recipe_from_cell(again) == recipe_from_cell(found)


def test_a_model_of_the_benchmark_has_the_parameters_that_its_trainer_counts():
    # Three layers, embedding 400, hidden 600, the last layer as wide as the embedding to whose table it is tied.
    simple = cell_from_recipe(recipe(RECIPES["simple"][0]))
    layers = sum(costs(simple, i, h).parameters for i, h in ((400, 600), (600, 600), (600, 400)))
    tied_embedding, decoder_bias = 10_000 * 400, 10_000
    by_hand = (400 + 600 + 1) * 600 + (600 + 600 + 1) * 600 + (600 + 400 + 1) * 400 + 4_010_000
    assert layers + tied_embedding + decoder_bias == by_hand == 5_731_600


def test_recipes_of_published_cells_are_these_cells():
    @cell
    def lstm_without_forget_bias(x, h, c):
        c = sigmoid(linear(x, h)) * c + sigmoid(linear(x, h)) * tanh(linear(x, h))
        return sigmoid(linear(x, h)) * tanh(c), c

    assert cell_from_recipe(recipe(RECIPES["lstm"][0])).digest == lstm_without_forget_bias.digest
    assert cell_from_recipe(recipe(RECIPES["simple"][0])).digest == load_cell("rnn").digest


def test_x_outside_linear_is_brought_to_the_hidden_size_once():
    both = recipe(
        "a linear x h_prev_0; b activation_tanh x; c elementwise_sum a b; h_new_0 elementwise_prod c x"
    )
    found = cell_from_recipe(both)
    assert found.to_text().count("project(x)") == 1
    matrix = {(4, 6): 24, (6, 6): 0}  # it costs nothing where the sizes are equal, as the trainer needs them
    for (i, h), extra in matrix.items():
        assert costs(found, i, h).parameters == h + i * h + h * h + extra
    assert cell_from_recipe(recipe_from_cell(found)).digest == found.digest


def test_sums_and_products_take_more_than_two_values():
    @cell
    def chain(x, h_0):
        a, b, c = tanh(linear(x)), tanh(linear(x)), tanh(linear(h_0))
        return a + b + c

    said = recipe("p linear x; q linear x; r linear h_prev_0; a activation_tanh p; b activation_tanh q;"
                  "c activation_tanh r; h_new_0 elementwise_sum a b c")  # fmt: skip
    assert cell_from_recipe(said).digest == chain.digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "h_new_0 activation_tahn x",
            "h_new_0: unknown operation 'activation_tahn'; did you mean 'activation_tanh'",
        ),
        ("a linear x h_prev_0; h_new_0 activation_tanh aa", "h_new_0: unknown value 'aa'; did you mean 'a'"),
        ("h_new_0 linear x h_prev_1", "unknown value 'h_prev_1'; did you mean 'h_prev_0'"),
        ("a linear x h_prev_0", r"next states are h_new_0, h_new_1, ... without a gap, not \[\]"),
        ("h_new_0 linear x h_prev_0; h_new_2 linear x", r"without a gap, not \['h_new_0', 'h_new_2'\]"),
        ("a linear b x; b linear a x; h_new_0 activation_tanh a", "nodes read each other in a circle: "),
        ("h_new_0 blend x h_prev_0", r"h_new_0: blend reads 3 value\(s\), not 2"),
        ("h_new_0 elementwise_sum x", r"elementwise_sum reads 2 or more value\(s\), not 1"),
        ("h_new_0 activation_tanh x h_prev_0", r"activation_tanh reads 1 value\(s\), not 2"),
        ("x linear h_prev_0; h_new_0 linear x", "'x': this name is kept"),
        ("h_prev_0 linear x; h_new_0 linear x", "'h_prev_0': this name is kept"),
        ("h_new_00 linear x", "'h_new_00': this name is kept"),
    ],
)
def test_a_recipe_that_breaks_a_rule_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        cell_from_recipe(recipe(text))


@pytest.mark.parametrize("wrong", [{}, [], None, {"h_new_0": "linear"}, {"h_new_0": {"op": "linear"}},
                                   {"h_new_0": {"op": "linear", "input": "x"}}])  # fmt: skip
def test_what_is_no_recipe_is_refused(wrong):
    with pytest.raises(UserError, match=r'\{"?"op"?|"op"'):
        cell_from_recipe(wrong)


def test_every_broken_rule_is_told():
    with pytest.raises(UserError, match=r"(?s)breaks 2 rule\(s\).*h_new_0.*h_new_1"):
        cell_from_recipe(recipe("h_new_0 linear y; h_new_1 blend x"))


def test_what_a_recipe_cannot_say_is_refused_with_its_equation():
    rich = parse_cell(
        "@cell\n"
        "def rich(x, h, m=state(init=-1.0), n=state(size='input')):\n"
        "    m = layer_norm(linear(x, h, bias=1.0)) + diagonal(m)\n"
        "    return relu(m) - linear(h, heads=2), m, n\n"
    )
    with pytest.raises(UserError) as caught:
        recipe_from_cell(rich)
    told = str(caught.value)
    assert told.startswith("the cell 'rich' cannot be written as a recipe:\n  m: a recipe's states")
    for part in (
        "  n: a recipe's states",
        "layer_norm(",
        "bias that starts at 0, and one head",
        "diagonal(m)",
        "relu(m)",
        "n: the next value is h_prev_2 itself",
    ):
        assert part in told, part


@pytest.mark.parametrize(
    ("next_h", "message"),
    [
        (
            lambda x, h: tanh(x) * linear(h) if False else linear(tanh(x), h),
            r"reads x brought to the hidden size",
        ),
        (lambda x, h: tanh(project(x)) * project(x) + h, "by one matrix, not by several"),
        (lambda x, h: linear(project(x), h), "reads x itself, not x brought to the hidden size"),
        (lambda x, h: 0.5 * linear(x, h), "0.5"),
        (lambda x, h: project(x), "the next value is x itself"),
    ],
)
def test_sizes_and_numbers_that_a_recipe_cannot_say(next_h, message):
    @cell
    def wrong(x, h):
        return next_h(x, h)

    with pytest.raises(UserError, match=message):
        recipe_from_cell(wrong)


def test_identities_and_dead_equations_are_left_out_and_a_shared_next_state_is_said_twice():
    @cell
    def roundabout(x, h, c):
        layer_norm(h)
        new = tanh(identity(linear(x, h)))
        return identity(new), new

    said = recipe_from_cell(roundabout)
    assert sorted(said) == ["h_new_0", "h_new_1", "node_0"]
    assert cell_from_recipe(said).digest == roundabout.digest


def test_a_linear_that_is_two_next_states_cannot_be_said():
    @cell
    def shared(x, h, c):
        new = linear(x, h)
        return new, new

    with pytest.raises(UserError, match=r"c: the next value is linear\(...\) of another path"):
        recipe_from_cell(shared)


def test_blend_comes_back_as_blend():
    @cell
    def mixed(x, h):
        return blend(sigmoid(linear(x, h)), h, tanh(linear(x, h)))

    assert recipe_from_cell(mixed)["h_new_0"]["op"] == "blend"


def write(path, *rows, opener=open):
    with opener(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n\n")
    return path


def test_a_file_of_recipes_is_read_plain_and_compressed_with_what_else_stands_in_a_line(tmp_path):
    simple, bare = recipe(RECIPES["simple"][0]), recipe(RECIPES["bare"][0])
    rows = [
        {"dag": "07ab", "recipe": simple, "test_loss": [4.5, None]},
        bare,
        {"name": "mine", "recepie": json.dumps(simple)},
        {
            "recipe": {
                "recipe": {"op": "linear", "input": ["x", "h_prev_0"]},
                **recipe("h_new_0 activation_tanh recipe"),
            }
        },
    ]
    plain = load_recipes(write(tmp_path / "a.jsonl", *rows))
    packed = load_recipes(write(tmp_path / "a.jsonl.gz", *rows, opener=gzip.open))
    assert plain == packed
    assert [stored.name for stored in plain] == ["recipe_07ab", "recipe_2", "mine", "recipe_4"]
    assert plain[0].details == {"dag": "07ab", "test_loss": [4.5, None]}
    assert [stored.cell.digest for stored in plain] == [
        cell_from_recipe(simple).digest,
        cell_from_recipe(bare).digest,
        cell_from_recipe(simple).digest,
        cell_from_recipe(simple).digest,
    ]
    assert plain[2].cell.name == "mine"


def test_one_recipe_of_a_file_is_called_by_its_name(tmp_path):
    simple, bare = recipe(RECIPES["simple"][0]), recipe(RECIPES["bare"][0])
    single = tmp_path / "one.json"
    single.write_text(json.dumps(simple, indent=2))
    several = write(tmp_path / "two.jsonl.gz", {"name": "mine", "recipe": simple}, bare, opener=gzip.open)
    assert load_recipe(single).recipe == simple
    assert load_recipe(f"{several}#recipe_2").recipe == bare
    assert load_recipe(f"{several}#mine").cell.name == "mine"
    with pytest.raises(
        UserError, match=r"two\.jsonl\.gz holds 2 recipes; name one, such as .*two\.jsonl\.gz#mine"
    ):
        load_recipe(several)
    with pytest.raises(UserError, match=r"has no recipe 'mime'; the nearest names are mine, recipe_2"):
        load_recipe(f"{several}#mime")
    empty = write(tmp_path / "none.jsonl")
    with pytest.raises(UserError, match="holds 0 recipes"):
        load_recipe(empty)
    assert names_recipe("a/b.json") and names_recipe("b.jsonl.gz#x.1") and not names_recipe("json")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", r"bad\.jsonl, line 2: "),
        ([1], r"line 2: a line is a JSON object, not \[1\]"),
        ({"recipe": {"h_new_0": {"op": "linear", "input": ["z"]}}}, r"(?s)line 2: .*unknown value 'z'"),
        ({"recipe": "[]"}, "line 2: .*breaks rules"),
    ],
)
def test_a_bad_line_is_named(tmp_path, row, message):
    path = write(tmp_path / "bad.jsonl", recipe(RECIPES["bare"][0]), row)
    with pytest.raises(UserError, match=message):
        load_recipes(path)


def test_a_file_that_is_not_there_or_not_compressed_is_told(tmp_path):
    with pytest.raises(UserError, match="there is no file"):
        load_recipes(tmp_path / "none.jsonl")
    (tmp_path / "not.jsonl.gz").write_text("{}")
    with pytest.raises(UserError, match="cannot read the recipes"):
        load_recipes(tmp_path / "not.jsonl.gz")


def test_what_is_packed_is_unpacked_to_a_bound_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(recipes, "MOST_BYTES", 1000)
    path = tmp_path / "many.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * 1001))
    with pytest.raises(UserError, match="more than 1,000 bytes; divide them"):
        load_recipes(path)
    path.write_bytes(gzip.compress(b" " * 1000))
    assert load_recipes(path) == []
