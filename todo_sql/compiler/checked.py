"""The variants of a query with what PostgreSQL says of each, and which stand for all. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from todo_sql.compiler.prepare import PreparedQuery
from todo_sql.compiler.proof.nodes import Tree, canonical, conditions, parse
from todo_sql.queries.named import NamedQuery
from todo_sql.queries.variants import Variant, count_variants

_FEW = 4


@dataclass(frozen=True)
class Checked:
    """A query with its variants, and what PostgreSQL says of each.

    Attributes:
        known: The variants that stand for all, with their trees without places and order.
    """

    query: NamedQuery
    variants: tuple[Variant, ...]
    answers: tuple[PreparedQuery, ...]
    known: tuple[tuple[Variant, PreparedQuery, Tree], ...]

    @classmethod
    def of(cls, query: NamedQuery, prepared: Iterable[tuple[Variant, PreparedQuery]]) -> Checked:
        """Read the trees as they come; variants that differ in their order only share one."""
        read = [(variant, answer, canonical(answer.tree)) for variant, answer in prepared]
        variants = tuple(variant for variant, *_ in read)
        texts = [text for *_, text in read]
        many = count_variants(query.groups, {}, query.choices) > _FEW
        where = [conditions(text, one.parameters) if many else None for one, _, text in read]
        trees: dict[str, Tree] = {}
        known = []
        for index in sorted(_telling(query, variants, texts, where)):
            variant, answer, text = read[index]
            if text not in trees:
                trees[text] = parse(text)
            known.append((variant, answer, trees[text]))
        return cls(query, variants, tuple(answer for _, answer, _ in read), tuple(known))

    @property
    def shapes(self) -> list[PreparedQuery]:
        """The answers that can have columns of their own: a tree says what it returns."""
        seen: dict[int, PreparedQuery] = {}
        for _, answer, tree in self.known:
            seen.setdefault(id(tree) if tree.main else id(answer), answer)
        return list(seen.values())

    @property
    def distinct(self) -> list[Tree]:
        """Each tree once."""
        return list({id(tree): tree for *_, tree in self.known}.values())


def _telling(
    query: NamedQuery,
    variants: Sequence[Variant],
    texts: Sequence[str],
    where: Sequence[tuple[str, frozenset[str]] | None],
) -> Iterable[int]:
    """Return the variants whose trees tell all.

    Of those that differ in the conditions of WHERE only, these are the ones with the fewest
    and with the most. More conditions leave fewer rows: what never is NULL under the fewest
    never is under more. And all that is used somewhere is used under the most.

    Args:
        texts: Of the trees.
        where: Each tree without its conditions, and those; None tells for itself.
    """
    if len(set(texts)) <= _FEW:
        return range(len(texts))
    found = {
        index
        for index, variant in enumerate(variants)
        if query.is_bare(variant.given) or query.is_whole(variant.given)
    }
    alike: dict[str, dict[frozenset[str], int]] = defaultdict(dict)
    for index, parts in enumerate(where):
        if parts is None:
            found.add(index)
        else:
            alike[parts[0]].setdefault(parts[1], index)
    for group in alike.values():
        ordered = sorted(group, key=len)
        for ranked, covers in (
            (ordered, frozenset.issubset),
            (ordered[::-1], frozenset.issuperset),
        ):
            kept: list[frozenset[str]] = []
            for one in ranked:
                if not any(covers(other, one) for other in kept):
                    kept.append(one)
            found |= {group[one] for one in kept}
    return found
