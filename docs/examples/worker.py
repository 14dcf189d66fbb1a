"""A remote worker for Taskwright, with the standard library alone: python3 worker.py http://127.0.0.1:8080 TOKEN"""
import json, sys, time, uuid
from http.client import HTTPException
from urllib import error, request

URL, TOKEN = sys.argv[1], sys.argv[2]
KINDS = {"shout": lambda text: text.upper()}  # what it carries out, by kind
OWNER = str(uuid.uuid4())  # this process


class Refused(Exception):
    def __init__(self, problem):
        super().__init__(problem.get("detail"))
        self.retryable = problem.get("retryable", False) or problem.get("code") == "session_over"


def call(path, body):
    headers = {"Content-Type": "application/json", "Authorization": "Bearer " + TOKEN}
    asked = request.Request(URL + "/v1/worker/" + path, json.dumps(body).encode(), headers)
    try:
        with request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)
    except error.HTTPError as refused:
        raise Refused(json.load(refused))


number, incarnation, received, unsaid = 0, None, 0, []  # unsaid: what the server has not stored yet
accepting = None  # the offer whose acceptance is not known to be stored


def say(speaker, about, kind, **fields):
    """Says it until it is stored, and returns what became of it."""
    global number
    number += 1
    unsaid.append({"type": kind, "n": number, **about, **fields})
    return send(speaker)


def send(speaker):
    acks = call("reports", {**speaker, "messages": unsaid})["acks"]
    unsaid.clear()
    return acks[-1]["outcome"]


def about(offer):
    return {name: offer[name] for name in ("assignment", "attempt", "incarnation")}


def carry_out(speaker, offer):
    try:
        end = {"outcome": "ok", "result": KINDS[offer["kind"]](offer["input"])}
    except Exception as failure:
        end = {"outcome": "error", "failure": {"name": type(failure).__name__, "message": str(failure)}}
    say(speaker, about(offer), "ended", **end)


failures = 0
while True:
    try:
        card = {"id": "python", "owner": OWNER, "kinds": list(KINDS), "slots": 1, "received": received}
        if incarnation is not None:  # it comes back: what it has not said yet is still its own
            card.update(incarnation=incarnation, running=["%s#%s" % (m["assignment"], m["attempt"]) for m in unsaid])
        registered = call("register", card)
        if incarnation != registered["incarnation"]:
            incarnation, received = registered["incarnation"], 0
        speaker = {"worker": registered["worker"], "owner": OWNER, "incarnation": incarnation}
        if unsaid:
            outcome, offer, accepting = send(speaker), accepting, None
            if offer is not None and outcome == "handled":
                carry_out(speaker, offer)  # the break came after the acceptance, and before the work
        failures = 0
        while True:
            for message in call("poll", {**speaker, "received": received, "waitMs": registered["heartbeatMs"]})["messages"]:
                if message["type"] == "over":
                    raise Refused({"detail": message["reason"], "retryable": True})
                received = max(received, message.get("n", 0))
                if message["type"] != "offer":
                    continue  # one task at a time: what it has is done before it hears of an end
                accepting = message
                outcome, accepting = say(speaker, about(message), "accepted"), None
                if outcome == "handled":  # else it came too late: another worker has it
                    carry_out(speaker, message)
    except (OSError, HTTPException, ValueError, Refused) as problem:  # no network, half an answer, or not now
        if isinstance(problem, Refused) and not problem.retryable:
            raise
        failures += 1
        time.sleep(min(10, 0.1 * 2**failures))
