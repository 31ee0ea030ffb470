"""The studies behind the chapters' claims: each file asks one question, or a few of one kind."""

from . import (
    bridges,
    conditional,
    continuous,
    depth,
    direction,
    ingredients,
    mixing,
    points,
    recipe,
    recompute,
    sensor,
    sign,
    singular,
    splines,
)

STUDIES = {
    study.name: study
    for study in (
        recipe.STUDY,
        recipe.SLIPS,
        recipe.SAFETY,
        sign.STUDY,
        conditional.LABEL,
        conditional.BY_HEART,
        sensor.STUDY,
        singular.STUDY,
        direction.STUDY,
        points.STUDY,
        conditional.RADIUS,
        bridges.STUDY,
        ingredients.STUDY,
        continuous.STUDY,
        depth.COST,
        depth.STUDY,
        depth.LONGER,
        depth.EQUAL_TIME,
        splines.STUDY,
        mixing.STUDY,
        recompute.STUDY,
    )
}
