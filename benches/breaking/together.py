"""Several Jurors at once, and clocks that jump."""

import pathlib
import random
import signal
import subprocess
import threading
import time

import training
from annotating import Annotator, exported
from disk import annotator, leave
from place import expect, names, rows
from screen import Explorer


def both(hands, count):
    """Two people annotate at the same time; each acknowledged event is in the store, in the order of its hand."""
    threads = [threading.Thread(target=lambda hand=hand: [hand.one(number) for number in range(count)]) for _, hand in hands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def found(place, like):
    base = place.database()
    events = base.execute(f"SELECT kind, record, value, text FROM events WHERE {like} ORDER BY id").fetchall()
    base.close()
    return events


def two_people(place):
    data = rows(place.path("data.jsonl"), 600)
    hands = [annotator(place, data, who, seed=seed) for seed, who in enumerate(("ada", "bob"))]
    both(hands, 150)
    for (explorer, hand), who in zip(hands, ("ada", "bob")):
        expect(hand.doubtful is None, f"{who}: not acknowledged: {hand.doubtful}")
        expect(found(place, f"annotator = '{who}'") == hand.acknowledged, f"{who} has lost events")
        leave(explorer)
    place.sound()
    return f"{sum(len(hand.acknowledged) for _, hand in hands)} events of two"


def one_person_twice(place):
    data = rows(place.path("data.jsonl"), 600)
    other = rows(place.path("other.jsonl"), 600, prefix="z")
    hands = [annotator(place, data, seed=1), annotator(place, other, seed=2)]
    both(hands, 150)
    for (explorer, hand), letter in zip(hands, "qz"):
        expect(hand.doubtful is None, f"not acknowledged: {hand.doubtful}")
        expect(found(place, f"record LIKE '{letter}%'") == hand.acknowledged, "events are lost")
        leave(explorer)
    exported(place, data, hands[0][1].acknowledged)
    exported(place, other, hands[1][1].acknowledged)
    place.sound()
    return f"{sum(len(hand.acknowledged) for _, hand in hands)} events of one in two windows"


def two_runs(place):
    data = rows(place.path("data.jsonl"), 300, responses=2)
    place.done("score", data, "-o", "whole.jsonl", "--quiet")
    whole = place.path("whole.jsonl").read_bytes()
    place.home = place.path("other-home")
    # On one cache: each has all rows.
    children = [place.start("score", data, "-o", f"{n}.jsonl", "--quiet", "--threads", 1) for n in range(2)]
    expect([child.wait() for child in children] == [0, 0], "two runs on one cache do not end well")
    expect(all(place.path(f"{n}.jsonl").read_bytes() == whole for n in range(2)), "other bytes beside another run")
    place.sound()
    # On one output: the second one is told that it is taken, and the first ends as if alone.
    first = place.start("score", data, "-o", "one.jsonl", "--quiet", "--no-cache")
    until(lambda: place.path("one.jsonl.part").exists())
    said = place.refused("score", data, "-o", "one.jsonl", "--quiet", "--no-cache", "--resume", words=["another run"])
    expect(first.wait() == 0 and place.path("one.jsonl").read_bytes() == whole, "the first run was disturbed")
    return said


def two_trainings(place):
    settings = training.prepare(place, "judge")
    arguments = training.start(place, "judge", settings, "out")
    place.done(*training.start(place, "judge", settings, "whole"))
    first = place.start(*arguments)
    until(lambda: place.path("out", "log.jsonl").exists())
    first.send_signal(signal.SIGSTOP)  # a short one would end before the second looks
    try:
        expect(first.poll() is None, "the first training had ended already")
        said = place.refused(*arguments, "--resume", words=["another training"])
    finally:
        first.send_signal(signal.SIGCONT)
    expect(first.wait() == 0, "the first training was disturbed")
    expect(training.result(place.path("out")) == training.result(place.path("whole")), "other weights beside another training")
    return said


def until(holds, patience=60):
    end = time.monotonic() + patience
    while not holds():
        expect(time.monotonic() < end, "it does not come to it")
        time.sleep(0.005)


def clock(place):
    """The machine's clock is put back and forth by hours and years while one annotates, and between two sessions."""
    library = place.path("clock.so")
    source = pathlib.Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    jump = place.path("jump")
    jump.write_text("0")
    environment = {"LD_PRELOAD": str(library), "JUMP": str(jump)}
    data = rows(place.path("data.jsonl"), 400)
    draw, sure = random.Random(11), []
    for session in range(4):
        explorer = Explorer(place, data, "--no-judge", "--annotator", "ada", "--scale", "rating=0-9", environment=environment)
        hand = Annotator(explorer, draw, time.monotonic() + 120)
        expect(hand.begin() is not False, f"the explorer does not annotate:\n{explorer.text()}")
        for number in range(40):
            jump.write_text(str(draw.choice((0, -3600, 3600, -86400 * 800, 86400 * 400, -7, 1))))
            hand.one(session * 100 + number)
            if number % 10 == 9:
                # What was rated last is rated anew, with the clock an hour back.
                jump.write_text("-7200")
                of = hand.last
                if of[0] == "label" and hand.does(("undo", of[1], None, None), "u", lambda text: "Undone" in text):
                    hand.last = None
        expect(hand.doubtful is None, f"not acknowledged: {hand.doubtful}\n{explorer.text()}")
        sure += hand.acknowledged
        expect(found(place, "1") == sure, "events are lost")
        leave(explorer)
    # By the program's own reading: what was said last counts.
    exported(place, data, sure)
    jump.write_text("-100000")
    place.done("score", data, "-o", "a.jsonl", "--quiet", environment=environment)
    jump.write_text("0")
    place.done("score", data, "-o", "b.jsonl", "--quiet")
    expect(place.path("a.jsonl").read_bytes() == place.path("b.jsonl").read_bytes(), "rows depend on the clock")
    settings = training.prepare(place, "judge")
    jump.write_text("-100000")
    place.done(*training.start(place, "judge", settings, "a"), environment=environment)
    place.done(*training.start(place, "judge", settings, "b"))
    expect(training.result(place.path("a")) == training.result(place.path("b")), "weights depend on the clock")
    return f"{len(sure)} events, {sum(one[0] == 'undo' for one in sure)} undone, in four sessions"


ALL = {"two people, one store": two_people, "one person, two windows": one_person_twice, "two runs": two_runs,
       "two trainings": two_trainings, "a clock that jumps": clock}
