#!/usr/bin/env python3
"""A second verifier of Watchfire evidence bundles, written from proto/watchfire/v1/*.proto alone; needs `cryptography` and `protobuf`:
    verify_bundle.py --descriptors SET [--digest HEX] FILE...
SET is a FileDescriptorSet of bundle.proto and event.proto with their imports, --digest a charter digest known from elsewhere. Prints a JSON object a file;
exit code 0 only if none fails. Numbers are sections of bundle.proto. Left out: [charter-text], most that only tell what is open, most bounds and forms."""
import argparse, base64, hashlib, json, sys; from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, unknown_fields
sha256, (u32, u64, word) = (lambda *parts: hashlib.sha256(b"".join(parts)).digest()), (lambda n, size=size: n.to_bytes(size, "big") for size in (4, 8, 32))
number, unhex = (lambda data: int.from_bytes(data, "big")), (lambda text: bytes.fromhex(text.removeprefix("0x")))
CHAIN, BLOCK, rotate = (lambda e: (e.author, e.epoch)), (lambda e: (e.chain_id, e.hash)), lambda a, by: (a << by | a >> (64 - by)) & ((1 << 64) - 1)
def need(condition, why):
    if not condition: raise ValueError(why)
def attempt(work):
    try: return work()
    except Exception: return None
MOVES, ROUNDS, (x, y), lfsr = [(0, 0)] * 25, [0] * 24, (1, 0), 1  # of keccak: which lane comes from where and turns by how much; constants
for turn in range(24):
    came, (x, y) = x + 5 * y, (y, (2 * x + 3 * y) % 5); MOVES[x + 5 * y] = came, (turn + 1) * (turn + 2) // 2 % 64
    for j in range(7): ROUNDS[turn] |= (lfsr & 1) << ((1 << j) - 1); lfsr = lfsr << 1 ^ (0x171 if lfsr & 0x80 else 0)
def keccak(data):
    s, data = [0] * 25, bytearray(data + b"\x01" + bytes(-(len(data) + 1) % 136)); data[-1] |= 0x80
    for at in range(0, len(data), 136):
        for i in range(17): s[i] ^= int.from_bytes(data[at + 8 * i:at + 8 * i + 8], "little")
        for constant in ROUNDS:
            c = [s[x] ^ s[x + 5] ^ s[x + 10] ^ s[x + 15] ^ s[x + 20] for x in range(5)]; c = [c[x - 1] ^ rotate(c[(x + 1) % 5], 1) for x in range(5)]
            s = [rotate(s[came] ^ c[came % 5], by) for came, by in MOVES]
            s = [lane ^ ~s[i - i % 5 + (i + 1) % 5] & s[i - i % 5 + (i + 2) % 5] for i, lane in enumerate(s)]; s[0] ^= constant
    return b"".join(lane.to_bytes(8, "little") for lane in s[:4])
def item(data):  # of RLP: bytes or a list, and what follows
    base, at, items = 0xC0 if data[0] >= 0xC0 else 0x80, 1, []
    if data[0] < 0x80: return bytes(data[:1]), data[1:]
    if (size := data[0] - base) > 55: at, size = size - 54, number(data[1:size - 54]); need(data[1] and size > 55, "a longer form of RLP")
    content, rest = data[at:at + size], data[at + size:]; need(len(content) == size and not (base == 0x80 and size == 1 and content[0] < 0x80), "no RLP")
    while base == 0xC0 and content: one, content = item(content); items.append(one)
    return items if base == 0xC0 else bytes(content), rest
def rlp(data): found, rest = item(memoryview(data)); need(not rest, "RLP with more behind it"); return found
def trie(root, key, value, nodes):  # 11: whether they lead from the root by the key to the value; an empty one is shown to be absent
    path, wanted, leaf = key.hex(), root, root == EMPTY and [*nodes] in ([], [b"\x80"]); nodes, wanted = ([], b"") if leaf else (nodes, wanted)
    for raw in nodes:
        need(keccak(raw) == wanted, "a node that nothing refers to"); wanted = rlp(raw)
        while isinstance(wanted, list):  # a node that stands in another is not listed
            flag = 16 if len(wanted) == 17 else wanted[0][0] >> 4; part = path[0] if flag == 16 else wanted[0].hex()[2 - flag % 2:]
            need(flag in (0, 1, 2, 3, 16), "no node"); there = path.startswith(part); leaf, path = flag in (2, 3) or not there, path[len(part):]
            wanted = wanted[int(part, 16) if flag == 16 else 1] if there else b""
    need(wanted == value and (value == b"" or leaf and not path), "it leads elsewhere")
P, N = 2**256 - 2**32 - 977, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1 (SEC 2): field, order, generator
G = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798, 0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8
def add(a, b):  # points; None is the one at infinity
    if None in (a, b): return a or b
    (x, y), (u, v) = a, b; slope = 3 * x * x * pow(2 * y, -1, P) if a == b else x != u and (v - y) * pow(u - x, -1, P)
    return None if x == u and y != v else (z := (slope * slope - x - u) % P, (slope * (x - z) - y) % P)
times = lambda k, a: add(times(k // 2, add(a, a)), a if k % 2 else None) if k else None
def signer(digest, signature):  # the address whose key signed, low s, v 27 or 28
    r, s, v = number(signature[:32]), number(signature[32:64]), signature[64]; y = pow(square := (pow(r, 3, P) + 7) % P, (P + 1) // 4, P)
    need(0 < r < N and 0 < s <= N // 2 and v in (27, 28) and y * y % P == square, "no signature"); y, by = y if y % 2 == v - 27 else P - y, pow(r, -1, N)
    return keccak(b"".join(map(word, add(times(s * by % N, (r, y)), times(-number(digest) * by % N, G)))))[12:]
ED, Y8, EMPTY = 2**255 - 19, 2707385501144840649318225287225658788936804267575313519463743609750303021, keccak(b"\x80")
SMALL = {y.to_bytes(32, "little") for y in (0, 1, ED - 1, ED, ED + 1, Y8, ED - Y8)}
def ed25519(key, signature, message):
    need(len(key) == 32 and len(signature) == 64 and not {p[:31] + bytes([p[31] & 127]) for p in (key, signature[:32])} & SMALL, "a weak key or signature")
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
node, half = (lambda left, right: sha256(b"\x01", left, right)), (lambda size: 1 << (size - 1).bit_length() - 1)
def included(leaf, index, size, path):  # the root that the path of a leaf makes
    if size == 1: need(not path and index == 0, "the path does not fit"); return leaf
    if index < (left := half(size)): return node(included(leaf, index, left, path[:-1]), path[-1])
    return node(path[-1], included(leaf, index - left, size - left, path[:-1]))
def grown(size, larger, old, path, whole=True):  # the roots of both trees that a consistency path makes
    if size == larger: need(len(path) == (not whole), "the path does not fit"); return (old, old) if whole else (path[0], path[0])
    a, b = grown(size, left, old, path[:-1], whole) if size <= (left := half(larger)) else grown(size - left, larger - left, old, path[:-1], False)
    return (a, node(b, path[-1])) if size <= left else (node(path[-1], a), node(path[-1], b))
class Verifier:
    def __init__(self, descriptors):
        self.checks, self.charters, self.events, self.roots, pool = [], {}, {}, {}, descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors).file: pool.Add(file)
        self.kind = lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName("watchfire.v1." + name))
    def check(self, name, subject, work, version=None):  # `work` answers nothing or a detail, (None, detail) to stay open, or raises
        if version not in (None, *self.charters): name, work = "statement", lambda: (None, "it names a charter version that is not here")
        try: outcome, detail = ("open", found[1]) if isinstance(found := work(), tuple) else ("holds", found)
        except Exception as error: outcome, detail = "fails", f"{type(error).__name__}: {error}"  # whatever cannot be read does not hold
        shown = subject.hex()[:8] if isinstance(subject, bytes) else str(subject)
        self.checks.append({"name": name, "subject": shown, "outcome": outcome, "detail": detail or ""}); return outcome != "fails"
    def exactly(self, name, data):
        message = self.kind(name).FromString(data); message.DiscardUnknownFields()
        need(message.SerializeToString(deterministic=True) == data, f"{name} is not in canonical form"); return message
    def run(self, file, digest):
        if not self.check("format", "file", lambda: self.format(file)): return
        b, self.network = self.bundle, self.bundle.network_id
        if not all([self.check("charter-digest", entry.version, lambda: self.charter(entry)) for entry in b.charters]): return
        self.members = {unhex(m["node_key"]): (id, m) for c in self.charters.values() for id, m in c["members"].items()}
        newest, bound = sha256(b"watchfire/v1/charter\0", b.charters[-1].canonical).hex(), len(b.charters) < 2 + (b.charters[0].version == 1)
        self.check("charter-trusted", newest, lambda: need(newest == digest and bound, newest) if digest else (None, "no digest given"))
        self.check("incident-id", b.incident.id, self.incident)
        for outer in [*(event for segment in b.segments for event in segment.events), *b.further]:
            self.check("signature", sha256(outer), lambda: self.events.update({sha256(outer): self.signed(outer, self.members)}))
        self.belong(); self.check("incident-id", "closes", lambda: need(len(self.closes) >= b.incident.generation, "closes are missing"))
        self.check("chain", "bundle", lambda: need(b.segments, "no event at all"))
        for segment in b.segments: self.check("chain", segment.author, lambda: self.chain(segment))
        self.named = {self.authority(c)[2] for _, c in self.of("co_signature", self.told)}; self.trees({CHAIN(t): t for t in b.trees})
        for hash, c in self.of("certificate", self.events):
            if hash in self.told or self.digest(c) in self.named: self.check("certificate", hash, lambda: self.certificate(c), c.decision.charter_version)
        for hash, c in self.of("co_signature", self.told): self.check("co-signature", hash, lambda: self.co_signature(c), c.charter_version)
        for hash, proof in self.of("fault_proof", self.events): self.check("fault-proof", hash, lambda: self.fault(proof))
        for hash, proof in self.of("checkpoint_fault", self.events): self.check("fault-proof", hash, lambda: self.checkpoint_fault(proof))
        self.blocks()
    def of(self, kind, hashes): return [(hash, getattr(self.events[hash][0], kind)) for hash in hashes if self.events[hash][1] == kind]
    def format(self, file):  # 1
        size, up = number(file[19:27]), lambda list, *by: all([getattr(a, n) for n in by] < [getattr(z, n) for n in by] for a, z in zip(list, list[1:]))
        need(file[:19] == b"watchfire-bundle/1\n" and len(file) == 59 + size and sha256(file[:-32]) == file[-32:], "no bundle, cut off or damaged")
        b = self.bundle = self.exactly("Bundle", file[27:-32]); need(len(b.network_id) == len(b.incident.id) == 32 and b.charters, "it lacks something")
        need(b.charters[0].version and up(b.charters, "version") and up(b.segments, "author", "epoch") and up(b.trees, "author", "epoch")
             and all(s.events for s in b.segments) and (hashes := [*map(sha256, b.further)]) == sorted({*hashes}) and up(b.objects, "digest") and up(
                 b.left_out, "author") and all(up(t.inclusions, "index") for t in b.trees) and up(b.blocks, "chain_id", "hash") and all(up(
                 x.receipts, "index") and up(x.accounts, "address") and all(up(a.slots, "slot") for a in x.accounts) for x in b.blocks), "an order")
    def charter(self, entry):  # 2
        charter, digest = json.loads(entry.canonical), sha256(b"watchfire/v1/charter\0", entry.canonical)
        again = json.dumps(charter, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() == entry.canonical
        need(again and charter["version"] == entry.version, "not the canonical form of this version"); self.charters[entry.version] = charter
        need((charter["network"], digest) == (None, self.network) if entry.version == 1 else charter["network"] == self.network.hex(), "network")
    def incident(self):  # 3
        i = self.bundle.incident; need(i.id == sha256(b"watchfire/v1/incident\0", self.network, u64(len(i.asset)), i.asset.encode(), u32(i.generation))
             and any(i.asset in c["assets"] for c in self.charters.values()), "another id, or no charter has the asset")
    def signed(self, outer, members=None):  # 4; what stands inside another event has no `members`
        signed = self.exactly("SignedEvent", outer); event = self.kind("Event").FromString(signed.event)
        top = unknown_fields.UnknownFieldSet(self.kind("Cancel").FromString(signed.event))  # to a message without fields all are unknown
        [(wire, field)] = [(field.wire_type, field.field_number) for field in top if field.field_number > 15 or field.wire_type == 3]
        need(wire == 2 and len(outer) <= (61440 if field == 33 else 30000), "no body, or too large"); body = event.WhichOneof("body") or ""
        need(event.network_id == self.network and (members is None or event.author in members), "of another network, or of no member")
        ed25519(event.author, signed.signature, b"watchfire/v1/event\0" + self.network + signed.event)
        self.subject(event, body); return event, body  # what that cannot read is no event; a body of a later version is inert
    def authority(self, c):
        a = getattr(c.authority, c.authority.WhichOneof("kind")); d = getattr(a, "decision", None); return (d or a).asset, d, d and a.certificate
    def subject(self, event, body):  # 5b: the asset and the time of which an event speaks
        at = {"finding": "block", "vote": "evidence", "veto": "head", "close_vote": "closed_at", "not_contained": "head",
              "postcondition_checked": "block", "co_signature": "agreed"}.get(body); message = getattr(event, body or "x", None)
        if body == "certificate":
            votes = [self.kind("Event").FromString(self.exactly("SignedEvent", vote).event) for vote in message.votes]
            need(self.digest(message) and {v.WhichOneof("body") for v in votes} <= {"vote", "veto", "close_vote"}, "a vote that is none")
            return message.decision.asset, max(self.subject(v, v.WhichOneof("body"))[1] for v in votes)
        asset = self.authority(message)[0] if body == "co_signature" else getattr(message, "asset", None) or (at and message.decision.asset)
        return (asset, getattr(message, at).time_s) if at else (None, 0)
    def belong(self):  # 5
        i, self.told, before = self.bundle.incident, set(), len(self.checks)  # of closes only whether they hold counts here
        closing = [c for _, c in self.of("certificate", self.events) if c.WhichOneof("purpose") == "close" and c.decision.asset == i.asset]
        self.closes = {c.close.closed_at_s for c in closing if self.check("", "", lambda: self.certificate(c))}; del self.checks[before:]
        for hash, (event, body) in self.events.items():
            asset, time_s = self.subject(event, body); names = getattr(getattr(event, body or "x", None), "incident", None) == i.id
            if names or asset == i.asset and sum(c < time_s for c in self.closes) == i.generation: self.told.add(hash)
        safe_hashes = {self.safe_hash(c) for _, c in self.of("co_signature", self.told) if self.safe(c)}
        self.told |= {h for kind in ("submitted", "executed") for h, e in self.of(kind, self.events) if e.safe_transaction in safe_hashes}
        self.told |= {hash for hash, e in self.of("retracted", self.events) if e.event in self.told}
    def chain(self, s):
        hashes, events = [sha256(outer) for outer in s.events], [self.events[sha256(outer)][0] for outer in s.events]
        need(all(CHAIN(e) == CHAIN(s) for e in events) and (events[0].seq or events[0].prev == bytes(32)), "another's")
        for a, before, b, hash in zip(events, hashes, events[1:], hashes[1:]):
            need(b.prev == before if b.seq == a.seq + 1 else b.seq > a.seq and {before, hash} <= self.told, f"broken at #{b.seq}")
        need({hashes[0], hashes[-1]} <= self.told and (gaps := events[-1].seq - events[0].seq + 1 - len(events)) == s.missing, "ends or gaps not as stated")
        return (None, f"{gaps} positions are not here") if gaps else None
    def further(self, hash):
        (event, body), segments = self.events[hash], {CHAIN(s): s.events for s in self.bundle.segments}; c = event.certificate
        need(hash not in {sha256(outer) for events in segments.values() for outer in events}, "a segment has it already")
        if body == "started":
            first = self.events[sha256(segments[CHAIN(event)][0])][0]; need(event.seq == 0 < first.seq and (first.seq > 1 or first.prev == hash), "another")
        elif body == "certificate":
            need(c.WhichOneof("purpose") == "close" and c.decision.asset == self.bundle.incident.asset or self.digest(c) in self.named, "nothing names it")
        else: need((self.signed(event.fault_proof.first)[0] if body == "fault_proof" else event.checkpoint_fault).author
                   in {self.events[told][0].author for told in self.told}, "nothing rests on it, or no chain binds it")
    def trees(self, trees):  # 6, after what is beside the segments
        for hash in filter(self.events.get, map(sha256, self.bundle.further)): self.check("further", hash, lambda: self.further(hash))
        for s in self.bundle.segments:
            if not (tree := trees.pop(CHAIN(s), None)): self.check("inclusion", s.author, lambda: (None, "no checkpoint"))
            elif self.check("checkpoint", s.author, lambda: self.checkpoint(tree)):
                self.check("witness", s.author, lambda: self.witness(tree)); self.check("inclusion", s.author, lambda: self.inclusion(s, tree))
        for _, epoch in trees: self.check("checkpoint", epoch, lambda: need(False, "a tree without a segment"))
    def checkpoint(self, t):
        head, lines = t.note.decode().split("\n\n"); origin, size, root = head.split("\n")
        self.text, self.size, self.root, self.lines = head + "\n", int(size), base64.b64decode(root, validate=True), []
        for dash, name, data in (line.split(" ") for line in lines[:-1].split("\n")):
            need(dash == "\u2014", "not a signature line"); data = base64.b64decode(data, validate=True); self.lines.append((name, data[:4], data[4:]))
        ids = {id for c in self.charters.values() for id, m in c["members"].items() if unhex(m["node_key"]) == t.author}
        need(lines[-1] == "\n" and size == str(self.size) and origin in {f"watchfire/{self.network.hex()}/{id}/{t.epoch.hex()}" for id in ids}, "its origin")
        own = next(line for line in self.lines if line[:2] == (origin, sha256(origin.encode(), b"\n\x01", t.author)[:4]))
        ed25519(t.author, own[2], self.text.encode()); self.lines.remove(own)
    def witness(self, t):
        named, names = {f"watchfire/{self.network.hex()}/{id}": (key, m["organisation"]) for key, (id, m) in self.members.items()}, set()
        for name, id, data in self.lines:
            need((key := named[name][0]) != t.author and id == sha256(name.encode(), b"\n\x04", key)[:4] and name not in names, "whose line")
            ed25519(key, data[8:], f"cosignature/v1\ntime {number(data[:8])}\n{self.text}".encode()); names.add(name)
        others = {named[name][1] for name in names} - {self.members[t.author][1]["organisation"]}; return f"{len(others)}" if others else (None, "nobody")
    def inclusion(self, s, t):
        leaves, stretch, next, before = [], 0, None, None
        for outer, (event, body) in ((outer, self.events[sha256(outer)]) for outer in s.events):
            stretch, next = stretch + (next not in (None, event.seq)), event.seq + 1; leaves += [(outer, event.seq, stretch)] * (body != "checkpoint")
        bounds = lambda seq, at: (before[0] + 1, before[0] + (1 if before[2] == at else seq - before[1])) if before else (0, seq)
        pruned = sum(seq < s.pruned for _, seq, _ in leaves); need(len(t.inclusions) <= len(leaves) - pruned, "more proofs than leaves")
        for (outer, *at), proof in zip(leaves[pruned:], t.inclusions):
            need(bounds(*at)[0] <= proof.index <= bounds(*at)[1], "leaves out of order")
            before, path = (proof.index, *at), [proof.path[i:i + 32] for i in range(0, len(proof.path), 32)]
            need(included(sha256(b"\0", outer), proof.index, self.size, path) == self.root, f"#{at[0]} leads to another root")
        newer = leaves[pruned + len(t.inclusions):]; need(not newer or bounds(*newer[0][1:])[1] >= self.size, "proofs left out")
        return (None, f"{len(newer)} newer than the checkpoint, {pruned} before what was pruned") if newer or pruned else "all"
    def digest(self, c):
        purpose = {"step": b"\0" + bytes([c.step & 255]), "cancel": b"\1", "close": b"\2" + u64(c.close.closed_at_s)}[c.WhichOneof("purpose")]
        names = [part for name in (c.decision.asset, c.decision.playbook) for part in (u64(len(name)), name.encode())]
        return sha256(b"watchfire/v1/certificate\0", self.network, u32(c.decision.charter_version), *names, purpose, *map(sha256, c.votes))
    def certificate(self, c):  # 8
        charter, purpose = self.charters[c.decision.charter_version], c.WhichOneof("purpose"); playbook = charter["playbooks"][c.decision.playbook]
        members, organisations, operators, times = {unhex(m["node_key"]): m for m in charter["members"].values()}, [], set(), []
        for outer in c.votes:
            event, body = self.signed(outer); vote, member, on = getattr(event, body), members[event.author], charter["assets"][c.decision.asset]["chain"]
            kind, at = {"step": ("vote", "evidence"), "cancel": ("veto", "head"), "close": ("close_vote", "closed_at")}[purpose]
            need(body == kind and vote.decision == c.decision and member["kind"] != "watcher", "not a vote for this decision")
            at = getattr(vote, at); act = vote.act if body == "veto" else at; need(purpose != "close" or at.time_s == c.close.closed_at_s, "another time")
            need(str(at.chain_id) == str(act.chain_id) == str(on) and act.number <= at.number and act.time_s <= at.time_s, "another chain, or late")
            need(purpose != "step" or 0 < c.step <= vote.step <= len(playbook["steps"]) and vote.operator in member["operators"]
                 and (vote.WhichOneof("basis") == "human" or playbook["purpose"] != "recover"), "no such step or operator, or no human for a recovery")
            organisations, times, operators = organisations + [member["organisation"]], times + [at.time_s], operators | {getattr(vote, "operator", "")}
        roles = [role for o in organisations for role in charter["organisations"][o]["roles"]]
        rule = playbook["rule"] if purpose == "step" else charter["rules"]["contain"] | {"operators": 0, "roles": {}}
        need(organisations == sorted(set(organisations)) and len(organisations) <= 64 and playbook["asset"] == c.decision.asset, "another order or asset")
        need((purpose != "step" or max(times) <= min(times) + playbook["expiry_s"]) and len(organisations) >= rule["organisations"] and len(operators)
             >= rule["operators"] and all(roles.count(role) >= least for role, least in rule["roles"].items()), "too far apart, or the rule is not met")
    def safe(self, c):
        safes = self.charters.get(c.charter_version, {"safes": {}})["safes"].items()
        return next(((n, s) for n, s in safes if str(s["chain"]) == str(c.chain_id) and unhex(s["address"]) == c.safe), None)
    def safe_hash(self, c):  # 9
        pad, t, old = lambda data: data.rjust(32, b"\0"), c.transaction, self.safe(c)[1]["version"] < "1.3.0"
        kind = b"EIP712Domain(" + (b"" if old else b"uint256 chainId,") + b"address verifyingContract)"
        struct = keccak(b"SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,"
                        b"address gasToken,address refundReceiver,uint256 nonce)")
        fields = t.to, t.value, keccak(t.data), bytes([t.operation - 1]), t.safe_tx_gas, t.base_gas, t.gas_price, t.gas_token, t.refund_receiver, t.nonce
        return keccak(b"\x19\x01" + keccak(keccak(kind) + (b"" if old else word(c.chain_id)) + pad(c.safe)) + keccak(struct + b"".join(map(pad, fields))))
    def co_signature(self, c):
        charter, (name, safe), t, (asset, decision, _) = self.charters[c.charter_version], self.safe(c), c.transaction, self.authority(c)
        calls, omitted = [(c.safe, b"")], set(c.omitted); need(len(c.signature) == 65 and c.agreed.chain_id == c.chain_id, "of another chain")
        if c.authority.WhichOneof("kind") == "step":
            playbook, step = charter["playbooks"][decision.playbook], c.authority.step.step
            need(playbook["asset"] == asset and decision.charter_version == c.charter_version and step, "another decision")
            actions = {i: (unhex(a["target"]), bytes(a["calldata"])) for i, a in enumerate(playbook["steps"][step - 1]["actions"]) if a["safe"] == name}
            calls, omitted = [call for i, call in actions.items() if i not in omitted], omitted - set(actions)
        need(t.operation == (2 if len(calls) > 1 else 1) and not omitted, "another operation, or it omits what is not there")
        if len(calls) > 1:
            data = b"".join(b"\0" + to + word(0) + word(len(d)) + d for to, d in calls); data = word(32) + word(len(data)) + data + bytes(-len(data) % 32)
            calls = [(unhex(charter["chains"][str(c.chain_id)]["multi_send_call_only"]["address"]), unhex("8d80ff0a") + data)]
        need((t.to, t.data) == calls[0] and not any(t.value + t.safe_tx_gas + t.base_gas + t.gas_price + t.gas_token + t.refund_receiver), "not the step's")
        owners = {unhex(a) for a in [*safe["other_owners"], *(m["guardian"] for id, m in charter["members"].items() if id in safe["guardians"])]}
        need((who := signer(self.safe_hash(c), c.signature)) in owners, f"{who.hex()} is no owner"); return who.hex()
    def fault(self, proof):  # 10
        (a, _), (b, _), first, second = self.signed(proof.first), self.signed(proof.second), sha256(proof.first), sha256(proof.second)
        need(CHAIN(a) == CHAIN(b) and (first < second if a.seq == b.seq else b.seq == a.seq + 1 and b.prev != first), "they convict nobody")
    def checkpoint_fault(self, fault):
        one, other, form = fault.checkpoint, fault.against.checkpoint, f"watchfire/{self.network.hex()}/%s/{fault.epoch.hex()}\n%d\n%s\n"
        note = lambda c: ed25519(fault.author, c.signature, (form % (c.member, c.size, base64.b64encode(c.root).decode())).encode()); note(one)
        if not fault.HasField("against"): return None, "whether it lies is for its author's events to say"
        note(other); roots = grown(one.size, other.size, fault.against.prefix_root, fault.against.path)
        need(other.member == one.member and roots == (fault.against.prefix_root, other.root) and roots[0] != one.root, "they convict nobody")
    def blocks(self):  # 11
        refs, items = {}, [i for _, e in self.of("evidence_collected", self.told) for i in e.items]; named = {i.object for i in items}
        for message in (getattr(event, body) for event, body in map(self.events.get, self.told) if body):
            found = [value for field, value in message.ListFields() if field.message_type and field.message_type.name == "BlockRef"]
            for ref in found + [i.block for i in getattr(message, "items", [])]: refs.setdefault(BLOCK(ref), set()).add((ref.number, ref.time_s))
        for x in self.bundle.blocks:
            shown = {i.kind for i in items if BLOCK(i.block) == BLOCK(x)}
            if self.check("header", x.hash, lambda: self.header(x, refs.get(BLOCK(x), set()))):
                for r in x.receipts: self.check("receipt", r.index, lambda: self.receipt(r, shown))
                for a in x.accounts:
                    if self.check("account", a.address, lambda: self.account(x, a, shown)):
                        for s in a.slots: self.check("slot", s.slot, lambda: trie(self.storage, keccak(s.slot), s.value, s.proof))
        forms = {o.digest: attempt(lambda: json.dumps(json.loads(o.content, parse_int=float)["result"], sort_keys=True)) for o in self.bundle.objects}  # 12
        state = {o: attempt(lambda: self.shown(json.loads(form))) for o, form in forms.items()}
        for o in self.bundle.objects: self.check("object", o.digest, lambda: need(sha256(o.content) == o.digest in named, "another content, or no manifest"))
        for i in items: i.kind == 1 and i.object in forms and BLOCK(i.block) not in self.roots and self.check("header", i.object, lambda: (None, "no block"))
        key = lambda i: (str(i.block), i.kind, s[1:] if i.kind == 6 and (s := state.get(i.object)) and s[0] == self.roots.get(BLOCK(i.block)) else i.request)
        for q in {key(i) for i in items if i.kind != 3}: self.check("operators", q[1], lambda: self.operators([i for i in items if key(i) == q], forms))
    def shown(self, result):  # the root, account and slots of an answer about state
        return keccak(unhex([*result["accountProof"], "80"][0])), unhex(result["address"]), frozenset(int(s["key"], 16) for s in result["storageProof"])
    def operators(self, items, forms):
        given = {(i.operator, i.object) for i in items if i.check != 6 and i.object in forms}; said = {(forms[o], name) for name, o in given if forms[o]}
        differ, names = len(said) == len(dict(said)) and any(i.check == 4 for i in items), {name for name, _ in given}
        return (None, "too few, one that contradicts, or all differ") if len(names) < 2 or differ or any(i.check == 6 for i in items) else ", ".join(names)
    def header(self, x, named):
        fields = rlp(x.header); self.roots[BLOCK(x)] = self.state = fields[3]; self.receipts, at = fields[5], (number(fields[8]), number(fields[11]))
        need(keccak(x.header) == x.hash and len(fields[3]) == len(self.receipts) == 32 and at in named, "another block, or nobody names it as it is")
    def receipt(self, r, shown):
        index = r.index.to_bytes((r.index.bit_length() + 7) // 8, "big"); key = index if 0 < r.index < 128 else bytes([128 + len(index)]) + index
        need(shown & {2, 3}, "no manifest"); trie(self.receipts, key, r.receipt, r.proof); need(len(rlp(r.receipt[r.receipt[0] < 0xC0:])) == 4, "none")
    def account(self, x, a, shown):
        entries = [e for c in self.charters.values() for e in [*c["safes"].values(), c["assets"].get(self.bundle.incident.asset)] if e]
        watched = {one for e in entries if str(e["chain"]) == str(x.chain_id) for one in [e.get("address"), e.get("owner"), *e.get("contracts", [])] if one}
        need(6 in shown and a.address in map(unhex, watched), "no manifest, or nothing of the asset")
        trie(self.state, keccak(a.address), a.value, a.proof); fields = rlp(a.value) if a.value else [b"", b"", EMPTY, b""]
        self.storage = fields[2]; need(len(fields) == 4 and len(self.storage) == 32, "no account")
if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter); parser.add_argument("file", nargs="+")
    parser.add_argument("--descriptors", required=True); parser.add_argument("--digest", default="", type=lambda text: text.removeprefix("0x"))
    arguments, all_hold = parser.parse_args(), True
    for path in arguments.file:
        v = Verifier(open(arguments.descriptors, "rb").read()); v.check("format", "readable", lambda: v.run(open(path, "rb").read(), arguments.digest))
        all_hold &= (first := next((check for check in v.checks if check["outcome"] == "fails"), None)) is None  # whatever is odd fails
        print(json.dumps({"file": path, "holds": first is None, "first_failure": first, "checks": v.checks}))
    sys.exit(not all_hold)
