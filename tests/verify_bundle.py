#!/usr/bin/env python3
"""A second verifier of Watchfire evidence bundles, written from proto/watchfire/v1/*.proto alone; needs `cryptography` and `protobuf`.

    verify_bundle.py --descriptors SET [--digest HEX] FILE...
SET is a FileDescriptorSet of bundle.proto and event.proto with their imports. --digest is a charter digest known from elsewhere. Prints one JSON object
a file with every check; exit code 0 only if none fails. Numbers are sections of bundle.proto. Left out: [charter-text], [reference], [threshold],
[evidence-missed], most bounds; of blocks all but the header's hash.
"""
import argparse, base64, hashlib, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
MAGIC, MASK = b"watchfire-bundle/1\n", (1 << 64) - 1
sha256 = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
u32, u64, word = (lambda n, size=size: n.to_bytes(size, "big") for size in (4, 8, 32))
number, unhex = (lambda data: int.from_bytes(data, "big")), (lambda text: bytes.fromhex(text.removeprefix("0x")))
def need(condition, why):
    if not condition: raise ValueError(why)
def keccak(data):
    state = [[0] * 5 for _ in range(5)]; rotate = lambda value, by: ((value << by) | (value >> (64 - by))) & MASK
    data += b"\x81" if (pad := 136 - len(data) % 136) == 1 else b"\x01" + bytes(pad - 2) + b"\x80"
    for at in range(0, len(data), 136):
        for i in range(17): state[i % 5][i // 5] ^= int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")
        lfsr = 1
        for _ in range(24):
            c = [a ^ b ^ c ^ d ^ e for a, b, c, d, e in state]
            state = [[lane ^ c[x - 1] ^ rotate(c[(x + 1) % 5], 1) for lane in state[x]] for x in range(5)]
            (x, y), current = (1, 0), state[1][0]
            for t in range(24):
                x, y = y, (2 * x + 3 * y) % 5; current, state[x][y] = state[x][y], rotate(current, (t + 1) * (t + 2) // 2 % 64)
            state = [[state[x][y] ^ (~state[(x + 1) % 5][y] & MASK & state[(x + 2) % 5][y]) for y in range(5)] for x in range(5)]
            for j in range(7):
                state[0][0] ^= (lfsr & 1) << ((1 << j) - 1); lfsr = (lfsr << 1) ^ (0x171 if lfsr & 0x80 else 0)
    return b"".join(state[i % 5][i // 5].to_bytes(8, "little") for i in range(4))
P, N = 2**256 - 2**32 - 977, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798, 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
def add(a, b):
    if not a or not b or (a[0] == b[0] and (a[1] + b[1]) % P == 0): return None if a and b else a or b
    slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P) if a == b else (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    return (x := (slope * slope - a[0] - b[0]) % P), (slope * (a[0] - x) - a[1]) % P
times = lambda k, point: add(point if k & 1 else None, times(k >> 1, add(point, point))) if k else None
def recover(digest, signature):
    r, s, v = number(signature[:32]), number(signature[32:64]), signature[64]; y = pow(r**3 + 7, (P + 1) // 4, P)
    need(v in (27, 28) and 0 < r < N and 0 < s <= N // 2 and (y * y - r**3 - 7) % P == 0, "no signature over the transaction")
    point, inverse = (r, y if y % 2 == v - 27 else P - y), pow(r, -1, N)
    key = add(times(s * inverse % N, point), times(-number(digest) * inverse % N, G)); return keccak(word(key[0]) + word(key[1]))[12:]
ED, Y8 = 2**255 - 19, 2707385501144840649318225287225658788936804267575313519463743609750303021
SMALL = {y.to_bytes(32, "little") for y in (0, 1, ED - 1, ED, ED + 1, Y8, ED - Y8)}
def ed25519(key, signature, message):
    need(len(key) == 32 and len(signature) == 64 and not {p[:31] + bytes([p[31] & 127]) for p in (key, signature[:32])} & SMALL, "a weak key or signature")
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
def climb(fn, sn, path, *nodes):
    for other in path:
        need(0 < sn and fn <= sn, "the path does not fit")
        if fn & 1 or fn == sn: nodes = [sha256(b"\x01", other, node) for node in nodes]
        else: nodes = [*nodes[:-1], sha256(b"\x01", nodes[-1], other)]  # right of the larger tree alone
        while fn == sn and fn and not fn & 1: fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0, "the path does not fit"); return list(nodes)
def grown(size, old, larger, root, path):
    need(0 < size < larger or (size == larger and not path and old == root), "no such trees")
    nodes, fn, sn = [old] * (size & (size - 1) == 0) + list(path), size - 1, larger - 1
    while fn & 1: fn, sn = fn >> 1, sn >> 1
    need(size == larger or climb(fn, sn, nodes[1:], nodes[0], nodes[0]) == [old, root], "the path leads elsewhere")
class Verifier:
    def __init__(self, descriptors):
        self.checks, self.charters, self.events, pool = [], {}, {}, descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file: pool.Add(file)
        self.kind = lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName("watchfire.v1." + name))
    def check(self, name, subject, work, version=None):  # `work` answers nothing or a detail, (None, detail) to stay open, or raises
        if version not in (None, *self.charters): name, work = "statement", lambda: (None, "it names a charter version that is not here")
        try: outcome, detail = ("open", found[1]) if isinstance(found := work(), tuple) else ("holds", found)
        except Exception as error:  # whatever cannot be read does not hold
            outcome, detail = "fails", f"{type(error).__name__}: {error}"
        subject = subject.hex()[:8] if isinstance(subject, bytes) else str(subject)
        self.checks.append({"name": name, "subject": subject, "outcome": outcome, "detail": detail or ""}); return outcome != "fails"
    def exactly(self, name, data):
        message = self.kind(name).FromString(data); need(message.SerializeToString(deterministic=True) == data, f"{name} is not in canonical form")
        return message
    def run(self, file, digest):
        if not self.check("format", "file", lambda: self.format(file)): return
        b, self.network = self.bundle, self.bundle.network_id
        if not all([self.check("charter-digest", entry.version, lambda: self.charter(entry)) for entry in b.charters]): return
        self.members = {unhex(m["node_key"]): (id, m) for c in self.charters.values() for id, m in c["members"].items()}
        newest, bound = sha256(b"watchfire/v1/charter\0", b.charters[-1].canonical).hex(), len(b.charters) < 2 + (b.charters[0].version == 1)
        self.check("charter-trusted", newest, lambda: need(newest == digest and bound, newest) if digest else (None, "no digest given"))
        self.check("incident-id", b.incident.id, self.incident)
        for outer in [event for segment in b.segments for event in segment.events] + list(b.further):
            self.check("signature", sha256(outer), lambda: self.events.update({sha256(outer): self.signed(outer)}))
        self.belong(); self.check("incident-id", "closes", lambda: need(len(self.closes) >= b.incident.generation, "closes are missing"))
        self.check("chain", "bundle", lambda: need(b.segments, "no event at all"))
        for segment in b.segments: self.check("chain", segment.author, lambda: self.chain(segment))
        for left in b.left_out: self.check("left-out", left.author, lambda: (None, f"{left.no_room} without room, {left.pruned} pruned"))
        self.named = {self.authority(c)[2] for _, c in self.of("co_signature", self.told)}
        for hash in filter(self.events.get, map(sha256, b.further)): self.check("further", hash, lambda: self.further(hash))
        self.trees()
        for hash, c in self.of("certificate", self.events):
            if hash in self.told or self.digest(c) in self.named: self.check("certificate", hash, lambda: self.certificate(c), c.decision.charter_version)
        for hash, c in self.of("co_signature", self.told): self.check("co-signature", hash, lambda: self.co_signature(c), c.charter_version)
        for hash, proof in self.of("fault_proof", self.events): self.check("fault-proof", hash, lambda: self.fault(proof))
        for hash, proof in self.of("checkpoint_fault", self.events): self.check("fault-proof", hash, lambda: self.checkpoint_fault(proof))
        for block in b.blocks: self.check("header", block.hash, lambda: need(keccak(block.header) == block.hash, "it hashes to something else"))  # 11
        self.custody()
    def of(self, kind, hashes): return [(hash, getattr(self.events[hash][0], kind)) for hash in hashes if self.events[hash][1] == kind]
    def format(self, file):  # 1
        size = number(file[len(MAGIC):len(MAGIC) + 8])
        need(file[:len(MAGIC)] == MAGIC and len(file) == len(MAGIC) + 40 + size and sha256(file[:-32]) == file[-32:], "no bundle, cut off or damaged")
        b = self.bundle = self.exactly("Bundle", file[len(MAGIC) + 8:-32])
        need(len(b.network_id) == len(b.incident.id) == 32 and b.charters, "a field is missing"); chain = lambda entry: (entry.author, entry.epoch)
        for entries, key in ((b.charters, lambda e: e.version), (b.segments, chain), (b.further, sha256), (b.trees, chain),
                             (b.blocks, lambda e: (e.chain_id, e.hash)), (b.objects, lambda e: e.digest), (b.left_out, lambda e: e.author)):
            need(all(key(a) < key(z) for a, z in zip(entries, entries[1:])), "a list is out of order")
    def charter(self, entry):  # 2
        charter, digest = json.loads(entry.canonical), sha256(b"watchfire/v1/charter\0", entry.canonical)
        text = json.dumps(charter, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
        need(text == entry.canonical and charter["version"] == entry.version, "not the canonical form of this version")
        need((charter["network"], digest) == (None, self.network) if entry.version == 1 else charter["network"] == self.network.hex(), "network")
        self.charters[entry.version] = charter
    def incident(self):  # 3
        i, asset = self.bundle.incident, self.bundle.incident.asset.encode()
        need(i.id == sha256(b"watchfire/v1/incident\0", self.network, u64(len(asset)), asset, u32(i.generation)), "another id")
        need(any(i.asset in c["assets"] for c in self.charters.values()), "no charter has the asset")
    def signed(self, outer):  # 4
        signed = self.exactly("SignedEvent", outer); event = self.kind("Event").FromString(signed.event)
        need(event.network_id == self.network and event.author in self.members, "of another network, or of no member")
        ed25519(event.author, signed.signature, b"watchfire/v1/event\0" + self.network + signed.event)
        need(body := event.WhichOneof("body"), "it says nothing")
        self.subject(event, body)  # what that cannot read is no event
        return event, body
    def authority(self, c):
        a = getattr(c.authority, c.authority.WhichOneof("kind"))
        return (a.asset, None, None) if c.authority.HasField("after_foreign_recovery") else (a.decision.asset, a.decision, a.certificate)
    def subject(self, event, body):  # 5b
        message = getattr(event, body or "x", None)
        at = {"finding": "block", "vote": "evidence", "veto": "head", "close_vote": "closed_at", "not_contained": "head",
              "postcondition_checked": "block", "co_signature": "agreed"}.get(body)
        if body == "certificate":
            votes = [self.kind("Event").FromString(self.kind("SignedEvent").FromString(v).event) for v in message.votes]
            need(self.digest(message) and all(v.WhichOneof("body") for v in votes), "a vote says nothing")
            times = [s[1] for s in (self.subject(v, v.WhichOneof("body")) for v in votes if v.WhichOneof("body") != body) if s]
            return (message.decision.asset, max(times)) if times else None
        asset = self.authority(message)[0] if body == "co_signature" else getattr(message, "asset", None) or (at and message.decision.asset)
        return at and (asset, getattr(message, at).time_s)
    def belong(self):  # 5
        i, self.closes, self.told = self.bundle.incident, set(), set()
        for _, c in self.of("certificate", self.events):
            if c.WhichOneof("purpose") == "close" and c.decision.asset == i.asset:
                if self.check("", "", lambda: self.certificate(c)): self.closes.add(c.close.closed_at_s)
                self.checks.pop()  # only whether it holds counts here
        for hash, (event, body) in self.events.items():
            asset, time_s = self.subject(event, body) or (None, 0)
            speaks = asset == i.asset and sum(c < time_s for c in self.closes) == i.generation
            if speaks or getattr(getattr(event, body or "x", None), "incident", None) == i.id: self.told.add(hash)
        safe_hashes = {self.safe_hash(c) for _, c in self.of("co_signature", self.told) if self.safe(c)}
        for kind in ("submitted", "executed"): self.told |= {h for h, e in self.of(kind, self.events) if e.safe_transaction in safe_hashes}
        self.told |= {hash for hash, e in self.of("retracted", self.events) if e.event in self.told}
    def chain(self, s):
        hashes, events = [sha256(outer) for outer in s.events], [self.events[sha256(outer)][0] for outer in s.events]
        need(all((e.author, e.epoch) == (s.author, s.epoch) for e in events) and (events[0].seq or events[0].prev == bytes(32)), "another's")
        for a, before, b, hash in zip(events, hashes, events[1:], hashes[1:]):
            need(b.prev == before if b.seq == a.seq + 1 else b.seq > a.seq and {before, hash} <= self.told, f"broken at #{b.seq}")
        gaps = events[-1].seq - events[0].seq + 1 - len(events)
        need(hashes[0] in self.told and hashes[-1] in self.told and gaps == s.missing, "an end does not belong, or gaps are not as stated")
        if any(b.seq == a.seq + 1 and b.time_ms <= a.time_ms for a, b in zip(events, events[1:])):
            self.check("statement", s.author, lambda: (None, "its clock does not grow"))
        return (None, f"{gaps} positions are not here") if gaps else None
    def further(self, hash):
        (event, body), segments = self.events[hash], {(s.author, s.epoch): s.events for s in self.bundle.segments}
        need(hash not in {sha256(outer) for events in segments.values() for outer in events}, "a segment has it already")
        if body == "started":
            first = self.events[sha256(segments[event.author, event.epoch][0])][0]
            return need(event.seq == 0 < first.seq and (first.seq > 1 or first.prev == hash), "another first event")
        closes = (c := event.certificate).WhichOneof("purpose") == "close" and c.decision.asset == self.bundle.incident.asset
        if body == "certificate": return need(closes or self.digest(c) in self.named, "nothing names it")
        fault = event.checkpoint_fault if body == "checkpoint_fault" else self.signed(event.fault_proof.first)[0]
        need(fault.author in {self.events[told][0].author for told in self.told}, "nothing rests on it, or no chain binds it")
    def trees(self):  # 6
        trees = {(t.author, t.epoch): t for t in self.bundle.trees}
        for s in self.bundle.segments:
            tree = trees.pop((s.author, s.epoch), None)
            if tree is None: self.check("inclusion", s.author, lambda: (None, "no checkpoint"))
            elif self.check("checkpoint", s.author, lambda: self.checkpoint(tree)):
                self.check("witness", s.author, lambda: self.witness(tree)); self.check("inclusion", s.author, lambda: self.inclusion(s, tree))
        for _, epoch in trees: self.check("checkpoint", epoch, lambda: need(False, "a tree without a segment"))
    def checkpoint(self, t):
        head, lines = t.note.decode().split("\n\n"); origin, size, root = head.split("\n")
        self.text, self.size, self.root, self.lines = head + "\n", int(size), base64.b64decode(root, validate=True), []
        need(lines[-1] == "\n" and size == str(self.size), "not a checkpoint")
        for dash, name, data in (line.split(" ") for line in lines[:-1].split("\n")):
            need(dash == "\u2014", "not a signature line")
            self.lines.append((name, (data := base64.b64decode(data, validate=True))[:4], data[4:]))
        ids = {id for c in self.charters.values() for id, m in c["members"].items() if unhex(m["node_key"]) == t.author}
        need(origin in {f"watchfire/{self.network.hex()}/{id}/{t.epoch.hex()}" for id in ids}, "its origin is not this author's epoch")
        own = next(line for line in self.lines if line[:2] == (origin, sha256(origin.encode(), b"\n\x01", t.author)[:4]))
        ed25519(t.author, own[2], self.text.encode()); self.lines.remove(own)
    def witness(self, t):
        named = {f"watchfire/{self.network.hex()}/{id}": (key, m["organisation"]) for key, (id, m) in self.members.items()}
        organisations = {named[name][1] for name, _, _ in self.lines} - {self.members[t.author][1]["organisation"]}
        for name, id, data in self.lines:
            need((key := named[name][0]) != t.author and id == sha256(name.encode(), b"\n\x04", key)[:4], "a line of nobody in the charter")
            ed25519(key, data[8:], f"cosignature/v1\ntime {number(data[:8])}\n{self.text}".encode())
        return f"{len(organisations)} other organisation(s)" if organisations else (None, "nobody")
    def inclusion(self, s, t):
        leaves, stretch, next, before = [], 0, None, None
        for outer, (event, body) in ((outer, self.events[sha256(outer)]) for outer in s.events):
            stretch, next = stretch + (next not in (None, event.seq)), event.seq + 1
            if body != "checkpoint": leaves.append((outer, event.seq, stretch))
        bounds = lambda seq, at: (before[0] + 1, before[0] + (1 if before[2] == at else seq - before[1])) if before else (0, seq)
        pruned = sum(seq < s.pruned for _, seq, _ in leaves); need(len(t.inclusions) <= len(leaves) - pruned, "more proofs than leaves")
        for (outer, *at), proof in zip(leaves[pruned:], t.inclusions):
            need(bounds(*at)[0] <= proof.index <= bounds(*at)[1] and proof.index < self.size, "leaves out of order")
            before, path = (proof.index, *at), [proof.path[i:i + 32] for i in range(0, len(proof.path), 32)]
            need(climb(proof.index, self.size - 1, path, sha256(b"\0", outer)) == [self.root], f"#{at[0]} leads to another root")
        newer = leaves[pruned + len(t.inclusions):]; need(not newer or bounds(*newer[0][1:])[1] >= self.size, "proofs left out")
        return (None, f"{len(newer)} newer than the checkpoint, {pruned} before what was pruned") if newer or pruned else "all"
    def digest(self, c):
        purpose = {"step": b"\0" + bytes([c.step & 255]), "cancel": b"\1", "close": b"\2" + u64(c.close.closed_at_s)}[c.WhichOneof("purpose")]
        names = [part for name in (c.decision.asset, c.decision.playbook) for part in (u64(len(name)), name.encode())]
        return sha256(b"watchfire/v1/certificate\0", self.network, u32(c.decision.charter_version), *names, purpose, *map(sha256, c.votes))
    def certificate(self, c):  # 8
        charter, purpose = self.charters[c.decision.charter_version], c.WhichOneof("purpose")
        playbook, chain = charter["playbooks"][c.decision.playbook], charter["assets"][c.decision.asset]["chain"]
        members, organisations, operators, times = {unhex(m["node_key"]): m for m in charter["members"].values()}, [], set(), []
        for outer in c.votes:
            event, body = self.signed(outer); vote, member = getattr(event, body), members[event.author]
            kind, at = {"step": ("vote", "evidence"), "cancel": ("veto", "head"), "close": ("close_vote", "closed_at")}[purpose]
            need(body == kind and vote.decision == c.decision and member["kind"] != "watcher", "not a vote for this decision")
            refs = [getattr(vote, at), vote.act if body == "veto" else getattr(vote, at)]
            need(all(str(ref.chain_id) == str(chain) for ref in refs), "not on the asset's chain")
            if body == "vote":
                need(0 < c.step <= vote.step <= len(playbook["steps"]) and vote.operator in member["operators"], "no such step or operator")
                need(vote.WhichOneof("basis") == "human" or playbook["purpose"] != "recover", "recovery takes a human"); operators.add(vote.operator)
            need(refs[1].number <= refs[0].number and refs[1].time_s <= refs[0].time_s, "the act is after the head")
            need(purpose != "close" or refs[0].time_s == c.close.closed_at_s, "another time")
            organisations, times = organisations + [member["organisation"]], times + [refs[0].time_s]
        roles = [role for o in organisations for role in charter["organisations"][o]["roles"]]
        rule = playbook["rule"] if purpose == "step" else charter["rules"]["contain"] | {"operators": 0, "roles": {}}
        need(organisations == sorted(set(organisations)) and len(organisations) <= 64, "organisations out of order")
        need(playbook["asset"] == c.decision.asset and (purpose != "step" or max(times) <= min(times) + playbook["expiry_s"]), "too far apart")
        need(len(organisations) >= rule["organisations"] and len(operators) >= rule["operators"]
             and all(roles.count(role) >= least for role, least in rule["roles"].items()), "the rule is not met")
    def safe(self, c):
        safes = self.charters.get(c.charter_version, {"safes": {}})["safes"].items()
        return next(((n, s) for n, s in safes if str(s["chain"]) == str(c.chain_id) and unhex(s["address"]) == c.safe), None)
    def safe_hash(self, c):  # 9
        pad, t, old = lambda data: data.rjust(32, b"\0"), c.transaction, self.safe(c)[1]["version"] < "1.3.0"
        domain = keccak(b"EIP712Domain(address verifyingContract)" if old else b"EIP712Domain(uint256 chainId,address verifyingContract)")
        domain += (b"" if old else word(c.chain_id)) + pad(c.safe)
        struct = keccak(b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
                        b"address gasToken,address refundReceiver,uint256 nonce)")
        for field in (t.to, t.value, keccak(t.data), bytes([t.operation - 1]), t.safe_tx_gas, t.base_gas, t.gas_price,
                      t.gas_token, t.refund_receiver, t.nonce): struct += pad(field)
        return keccak(b"\x19\x01" + keccak(domain) + keccak(struct))
    def co_signature(self, c):
        charter, (name, safe), t, (asset, decision, _) = self.charters[c.charter_version], self.safe(c), c.transaction, self.authority(c)
        owner, calls = recover(self.safe_hash(c), c.signature), [(c.safe, b"")]
        owners = [charter["members"][id]["guardian"] for id in safe["guardians"]] + safe["other_owners"]
        need(owner in map(unhex, owners) and c.agreed.chain_id == c.chain_id, f"it recovers to {owner.hex()}, no owner")
        if c.authority.WhichOneof("kind") == "step":
            playbook, step = charter["playbooks"][decision.playbook], c.authority.step.step
            need(playbook["asset"] == asset and decision.charter_version == c.charter_version and step, "another decision")
            actions = enumerate(playbook["steps"][step - 1]["actions"])
            calls = [(unhex(a["target"]), bytes(a["calldata"])) for i, a in actions if a["safe"] == name and i not in c.omitted]
        need(t.operation == (2 if len(calls) > 1 else 1), "another operation")
        if len(calls) > 1:
            packed = b"".join(b"\0" + to + word(0) + word(len(data)) + data for to, data in calls)
            data = unhex("8d80ff0a") + word(32) + word(len(packed)) + packed + bytes(-len(packed) % 32)
            calls = [(unhex(charter["chains"][str(c.chain_id)]["multi_send_call_only"]["address"]), data)]
        need((t.to, t.data) == calls[0] and not any(t.value + t.safe_tx_gas + t.base_gas + t.gas_price + t.gas_token + t.refund_receiver), "not the step's")
    def fault(self, proof):  # 10
        (a, _), (b, _), first, second = self.signed(proof.first), self.signed(proof.second), sha256(proof.first), sha256(proof.second)
        need((a.author, a.epoch) == (b.author, b.epoch), "two chains")
        need(first < second if a.seq == b.seq else b.seq == a.seq + 1 and b.prev != first, "they convict nobody")
    def checkpoint_fault(self, fault):
        one, other, form = fault.checkpoint, fault.against.checkpoint, f"watchfire/{self.network.hex()}/%s/{fault.epoch.hex()}\n%d\n%s\n"
        note = lambda c: ed25519(fault.author, c.signature, (form % (c.member, c.size, base64.b64encode(c.root).decode())).encode()); note(one)
        if not fault.HasField("against"): return None, "whether it lies is for its author's events to say"
        note(other); need(other.member == one.member and fault.against.prefix_root != one.root, "they agree")
        grown(one.size, fault.against.prefix_root, other.size, other.root, fault.against.path)
    def custody(self):  # 12
        sizes, holders, here = {}, {}, {o.digest for o in self.bundle.objects}
        for hash, e in self.of("evidence_collected", self.told) + self.of("evidence_accessed", self.told):
            for object, size in [(i.object, i.size) for i in getattr(e, "items", [])] + [(o, None) for o in getattr(e, "objects", [])]:
                sizes.setdefault(object, set()).update([size] if size is not None else [])
                if size is not None or e.action == 1: holders.setdefault(object, set()).add(self.members[self.events[hash][0].author][1]["organisation"])
        for o in self.bundle.objects:
            self.check("object", o.digest, lambda: need(sha256(o.content) == o.digest and sizes.get(o.digest), "another content, or no manifest"))
            if sizes.get(o.digest, set()) - {len(o.content)}: self.check("statement", o.digest, lambda: (None, "a manifest says another size"))
        for object, who in holders.items():
            self.check("custody", object, lambda: ",".join(sorted(who)) if object in here and sizes[object] and len(who) > 2 else (None, "too few have it"))
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options = {"--descriptors": {"required": True}, "--digest": {"default": "", "type": lambda text: text.removeprefix("0x")}, "file": {"nargs": "+"}}
    for name, option in options.items(): parser.add_argument(name, **option)
    arguments, all_hold = parser.parse_args(), True
    for path in arguments.file:
        file, verifier = open(path, "rb").read(), Verifier(open(arguments.descriptors, "rb").read())
        verifier.check("format", "readable", lambda: verifier.run(file, arguments.digest))  # whatever is odd fails
        all_hold &= (first := next((check for check in verifier.checks if check["outcome"] == "fails"), None)) is None
        print(json.dumps({"file": path, "holds": first is None, "first_failure": first, "checks": verifier.checks}))
    sys.exit(not all_hold)
