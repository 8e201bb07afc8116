"""`python -m tests.rehearsal`: play a choreography under seeds; exit 1 where an invariant breaks.

`--seed 17` replays one seed. `MUTANT=name` (or `--mutant name`) plants a defect first, and `--count` tells in how
many seeds each defect is caught.
"""

import argparse
import os
import sys
import time

from tests.rehearsal.stage import CHAINS, SEEDS, command, perform, undisturbed
from tests.support.mutants import MUTANTS, planted


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description=__doc__)
    parser.add_argument("--chain", choices=CHAINS, action="append", help="default: all")
    parser.add_argument("--seed", type=int, action="append", help="default: all of them")
    parser.add_argument("--seeds", type=int, default=SEEDS, help=f"how many, from 1 on (default {SEEDS})")
    parser.add_argument("--mutant", choices=MUTANTS, default=os.environ.get("MUTANT") or None)
    parser.add_argument("--count", action="store_true", help="of every mutant: in how many seeds it is caught")
    args = parser.parse_args()
    chains = args.chain or list(CHAINS)
    seeds = args.seed or range(1, args.seeds + 1)
    for chain in chains:
        for variant in CHAINS[chain].variants:
            undisturbed(chain, variant)
    if args.count:
        return count(chains, seeds)
    with planted(args.mutant):
        return play(chains, seeds)


def play(chains: list[str], seeds: list[int] | range) -> int:
    """Play all; print what breaks, and how to see it again."""
    failed = faults = 0
    began = time.perf_counter()
    for chain in chains:
        for seed in seeds:
            performance = perform(CHAINS[chain], seed)
            faults += len(performance.happened)
            if performance.problems:
                failed += 1
                print(f"{chain} seed {seed}:", *performance.problems[:10], sep="\n  ")
                print(f"  again: {command(chain, seed)}")
            elif len(seeds) == 1:
                print(f"{chain} seed {seed}: trace {performance.trace}", *performance.happened, sep="\n  ")
    played = len(chains) * len(seeds)
    print(f"{played - failed} passed, {failed} failed; {faults} faults in {time.perf_counter() - began:.1f} s")
    return 1 if failed else 0


def count(chains: list[str], seeds: list[int] | range) -> int:
    """Per mutant and chain the share of seeds that catch it; exit code 1 where one is never caught."""
    missed = 0
    for mutant in MUTANTS:
        caught = {}
        for chain in chains:
            with planted(mutant):
                caught[chain] = sum(bool(perform(CHAINS[chain], seed).problems) for seed in seeds)
        missed += not any(caught.values())
        print(f"{mutant:32}", *(f"{chain} {found}/{len(seeds)}" for chain, found in caught.items()), flush=True)
    return 1 if missed else 0


sys.exit(main())
