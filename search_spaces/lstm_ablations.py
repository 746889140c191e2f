"""The LSTM with peepholes of Greff et al. 2015 (arXiv:1503.04069) and its eight ablations, one at a time."""

from nas_rnn import diagonal, linear, search_space, sigmoid, tanh


@search_space
def lstm_ablations(choose, x, h, c, i, f, o):
    """The LSTM and what is left of it without one of its parts (Greff et al. 2015, section 3)."""
    without = choose(
        "variant",
        [
            "vanilla",
            "no_input_gate",
            "no_forget_gate",
            "no_output_gate",
            "no_input_activation",
            "no_output_activation",
            "coupled_input_forget",
            "no_peepholes",
            "full_gate_recurrence",
        ],
    )
    gates = (i, f, o) if without == "full_gate_recurrence" else ()

    def gate(memory, bias=0.0):
        before = linear(x, h, *gates, bias=bias)
        return sigmoid(before if without == "no_peepholes" else before + diagonal(memory))

    g = linear(x, h) if without == "no_input_activation" else tanh(linear(x, h))
    i_new = 1 if without == "no_input_gate" else gate(c)
    if without == "no_forget_gate":
        f_new = 1
    elif without == "coupled_input_forget":
        f_new = 1 - i_new
    else:
        f_new = gate(c, bias=1.0)
    c_new = f_new * c + i_new * g
    exposed = c_new if without == "no_output_activation" else tanh(c_new)
    h_new = exposed
    if without != "no_output_gate":
        o_new = gate(c_new)
        h_new = o_new * exposed
    if gates:
        return h_new, c_new, i_new, f_new, o_new
    return h_new, c_new, None, None, None
