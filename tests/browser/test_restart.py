"""A server that dies and comes back, and one that is asked to end."""

from gpt.store import RunStore


def test_a_killed_server_leaves_an_interrupted_run_that_resumes(visit, server):
    visitor = visit()
    visitor.choose("ladder/03-multi-head")
    visitor.open("Training")
    visitor.type("train.steps", "100000")
    visitor.train()
    visitor.wait_step(200)
    run = visitor.run
    server.kill()
    server.start()
    visitor.load(server.url)
    assert visitor.run == run
    visitor.wait_status("interrupted")
    reached = int(visitor.chart["step"])
    assert reached >= 100
    visitor.page.click("#pause")
    visitor.wait_status("running")
    visitor.wait_step(reached + 100)
    visitor.page.goto("about:blank")
    server.process.terminate()  # what a service manager does: nothing may be lost
    assert server.process.wait(timeout=40) == 0
    store = RunStore(server.home)
    assert store.run(run).status == "interrupted"
    assert store.load_checkpoint(run)[0] == store.run(run).step >= reached + 100
    store.close()
    visit.errors.clear()  # the browser reports the requests that the dead server did not answer
