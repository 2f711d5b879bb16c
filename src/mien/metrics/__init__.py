"""Metrics and their uncertainty: arrays in, frozen values out. No data set, no network.

from mien import metrics
metrics.classification_metrics(truth, probabilities)            # accuracy, macro-F1, ECE, risk-coverage, ...
metrics.balanced_accuracy(truth, predicted)
metrics.classification_intervals(truth, probabilities, clusters=people)
metrics.paired_differences(truth, first, second, clusters=people)
metrics.bootstrap(lambda correct, images: correct / images, correct, np.ones(len(correct)), clusters=people)
"""

from mien.metrics.classification import BINS as BINS
from mien.metrics.classification import ClassMetrics as ClassMetrics
from mien.metrics.classification import Metrics as Metrics
from mien.metrics.classification import ReliabilityBin as ReliabilityBin
from mien.metrics.classification import RiskCoveragePoint as RiskCoveragePoint
from mien.metrics.classification import balanced_accuracy as balanced_accuracy
from mien.metrics.classification import classification_metrics as classification_metrics
from mien.metrics.classification import confusion_matrix as confusion_matrix
from mien.metrics.classification import predicted_classes as predicted_classes
from mien.metrics.resampling import Interval as Interval
from mien.metrics.resampling import McNemar as McNemar
from mien.metrics.resampling import bootstrap as bootstrap
from mien.metrics.resampling import classification_intervals as classification_intervals
from mien.metrics.resampling import mcnemar as mcnemar
from mien.metrics.resampling import paired_differences as paired_differences
