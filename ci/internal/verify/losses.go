package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// A loss is a counter of what a component has thrown away or refused.
type loss struct {
	name string
	// job is the component that has the counter.
	job string
	// counter matches the counter's name, a regular expression.
	counter string
	// companion is a series of the same component that is there whenever it
	// works. Some counters have no series before their first loss; without the
	// companion such a counter, misspelled or renamed, would pass for ever. It is
	// empty for a counter that is there from the start: then it must be there.
	companion string
}

// losses are the places where telemetry can be lost, in the order of its way.
// What Alloy calls refused is the fault of what comes after the receiver, what it
// calls failed the receiver's own.
var losses = []loss{
	{"Alloy refused spans", "alloy", `otelcol_receiver_(refused|failed)_spans_total`, ""},
	{"Alloy refused log records", "alloy", `otelcol_receiver_(refused|failed)_log_records_total`, ""},
	{"Alloy refused metric points", "alloy", `otelcol_receiver_(refused|failed)_metric_points_total`, ""},
	{"Alloy gave up on spans", "alloy", `otelcol_exporter_send_failed_spans_total`, `otelcol_exporter_sent_spans_total`},
	{"Alloy gave up on log records", "alloy", `otelcol_exporter_send_failed_log_records_total`, `otelcol_exporter_sent_log_records_total`},
	{"Alloy's queue was full", "alloy", `otelcol_exporter_enqueue_failed_.+_total`, `otelcol_exporter_queue_size`},
	{"Alloy dropped samples", "alloy", `prometheus_remote_storage_(samples|histograms|exemplars)_dropped_total`, `prometheus_remote_storage_samples_total`},
	{"Alloy failed to write samples", "alloy", `prometheus_remote_storage_(samples|histograms|exemplars)_failed_total`, ""},
	{"Loki discarded lines", "loki", `loki_discarded_samples_total`, `loki_distributor_lines_received_total`},
	{"Tempo refused spans", "tempo", `tempo_receiver_refused_spans`, ""},
	{"Tempo discarded spans", "tempo", `tempo_discarded_spans_total`, ""},
	{"Tempo's generator discarded spans", "tempo", `tempo_metrics_generator_spans_discarded_total`, ""},
	{"Tempo's generator had too many series", "tempo", `tempo_metrics_generator_registry_series_limited_total`, ""},
	{"Tempo's generator failed to write samples", "tempo", `prometheus_remote_storage_(samples|histograms|exemplars)_(failed|dropped)_total`, ""},
	{"Mimir discarded samples", "mimir", `cortex_discarded_samples_total`, `cortex_distributor_received_samples_total`},
	{"Mimir discarded exemplars", "mimir", `cortex_discarded_exemplars_total`, `cortex_distributor_received_exemplars_total`},
}

// selector matches what a component counts under the name. An exemplar that is too
// old is none that was lost: the SDK exports the exemplar of an idle histogram
// again and again, until Mimir has no use for it.
func (l loss) selector(name string) string {
	return fmt.Sprintf(`{__name__=~%q,job=%q,reason!="exemplar_too_old"}`, name, l.job)
}

// present is what must be there for the counter to mean anything.
func (l loss) present() string {
	if l.companion == "" {
		return l.selector(l.counter)
	}
	return l.selector(l.companion)
}

// readLosses reads every counter of a loss.
func (v *verifier) readLosses(ctx context.Context) []counter {
	var selectors []string
	for _, l := range losses {
		selectors = append(selectors, l.selector(l.counter))
	}
	return v.readAll(ctx, selectors, time.Now())
}

// nothingLost checks that no such counter has changed since it was read. arrived is
// when all that was sent had been found.
func (v *verifier) nothingLost(ctx context.Context, before []counter, arrived time.Time) {
	// The stack is scraped at its own times: what was lost last must be in the
	// samples.
	if sleep(ctx, time.Until(arrived.Add(v.timing.export))) != nil {
		return
	}
	outcomes, took := make([]outcome, len(losses)), make([]time.Duration, len(losses))
	var all sync.WaitGroup
	for i, l := range losses {
		all.Go(func() {
			begin := time.Now()
			measured, err := v.lost(ctx, l, before[i])
			outcomes[i], took[i] = outcome{measured, err}, time.Since(begin)
		})
	}
	all.Wait()
	for i, l := range losses {
		v.add("nothing lost", l.name, "0", outcomes[i], took[i])
	}
}

// lost compares a counter with what it was.
func (v *verifier) lost(ctx context.Context, l loss, before counter) (string, error) {
	if before.err != nil {
		return "", fmt.Errorf("reading what it was before: %w", before.err)
	}
	_, works, err := v.mimir.Scalar(ctx, sumOver(l.present(), v.timing.alive), time.Now())
	if err != nil {
		return "", err
	}
	if !works {
		return "", fmt.Errorf("%s has no sample within %v: %s is not scraped, or counts under another name", l.present(), v.timing.alive, l.job)
	}
	by, err := v.rise(ctx, before)
	switch {
	case errors.Is(err, errNoSeries) && before.value == 0:
		return "0", nil // nothing was ever lost
	case err != nil:
		return "", err
	case by > 0:
		return fmt.Sprintf("%.0f", by), fmt.Errorf("%s has risen from %.0f to %.0f while verify ran; the log of %s says why",
			before.selector, before.value, before.value+by, l.job)
	case by < 0:
		return "unknown", fmt.Errorf("%s has fallen from %.0f to %.0f: %s was started again while verify ran",
			before.selector, before.value, before.value+by, l.job)
	}
	return "0", nil
}
