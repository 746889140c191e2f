"""A run's random numbers are its own."""

import torch

from nas_rnn.training.device import RandomStream, threads

CPU = torch.device("cpu")


def draw(stream: RandomStream) -> list[float]:
    with stream.drawing():
        return torch.rand(3).tolist()


def test_two_streams_taking_turns_do_not_disturb_each_other_nor_the_process() -> None:
    first, second = RandomStream(1, CPU), RandomStream(2, CPU)
    before = torch.get_rng_state()
    mixed = [draw(first), draw(second), draw(first)]
    assert torch.equal(before, torch.get_rng_state())
    alone = RandomStream(1, CPU)
    assert [draw(alone), draw(alone)] == [mixed[0], mixed[2]]
    assert mixed[0] != mixed[1]


def test_a_restored_stream_goes_on() -> None:
    stream = RandomStream(1, CPU)
    draw(stream)
    state = stream.state()
    expected = draw(stream)
    other = RandomStream(9, CPU)
    other.restore({**state, "cuda": torch.zeros(1, dtype=torch.uint8)})
    assert draw(other) == expected


def test_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    with threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
