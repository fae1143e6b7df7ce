"""Statistics of corpus scores: intervals, paired tests, corrections, margins. Knows counts and scores, no tasks.

A corpus score (WER, BLEU, accuracy, ...) is a function of counts that are summed over clips (`score.Score`), so that
any resample of clips is scored by adding up their counts. Clips of one speaker or document are resampled together
(`clusters.Clusters`). docs/statistics.md says which estimators are used, and how often their intervals were right.
"""
