package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// A loss is a counter of what a component has thrown away, refused or failed to do.
type loss struct {
	name string
	// job is the component that has the counter.
	job string
	// counter matches the counter's name, a regular expression.
	counter string
	// companion is a series of the same component that is there whenever the component
	// works. Some counters have no series before their first loss; without the
	// companion such a counter, misspelled or renamed, would pass for ever. It is
	// empty for a counter that is there from the start: then the counter must be there.
	companion string
	// where are more matchers of the counter, each with a comma before it. They leave out
	// reasons that lose nothing: Alloy sends again what was refused because of a rate, and
	// a relabelling rule drops the series that it is to drop.
	where string
}

// Series that are there whenever their component works.
const (
	queues          = `otelcol_exporter_queue_size`
	lokiReceived    = `loki_distributor_lines_received_total`
	tempoReceived   = `tempo_distributor_spans_received_total`
	mimirReceived   = `cortex_distributor_received_samples_total`
	ruleEvaluations = `cortex_prometheus_rule_evaluations_total`
)

// lokiAgain leaves out the reasons that Loki answers with 429. stream_limit is not one of
// them: Loki reports the last stream of a batch only, so Alloy may take a batch for stored
// of which Loki has dropped lines.
//
// It leaves out duplicate, too. A Loki that was killed counts so what it reads twice at its
// start: lines of its log that its checkpoint has already (pkg/ingester/stream.go, Push).
const lokiAgain = `,reason!~"rate_limited|per_stream_rate_limit|duplicate"`

// losses are the places where telemetry can be lost or cut, in the order of its way.
// Alloy's receiver calls "refused" what a later component did not take, and "failed"
// what the receiver itself could not do.
var losses = []loss{
	{name: "Alloy refused spans", job: "alloy", counter: `otelcol_receiver_(refused|failed)_spans_total`},
	{name: "Alloy refused log records", job: "alloy", counter: `otelcol_receiver_(refused|failed)_log_records_total`},
	{name: "Alloy refused metric points", job: "alloy", counter: `otelcol_receiver_(refused|failed)_metric_points_total`},
	{name: "Alloy filtered out items", job: "alloy", counter: `otelcol_processor_filter_.+_filtered_total`, companion: queues},
	{name: "Alloy could not convert delta points", job: "alloy", counter: `otelcol_deltatocumulative_datapoints_total`, companion: queues, where: `,error!=""`},
	{name: "Alloy gave up on spans", job: "alloy", counter: `otelcol_exporter_send_failed_spans_total`, companion: `otelcol_exporter_sent_spans_total`},
	{name: "Alloy gave up on log records", job: "alloy", counter: `otelcol_exporter_send_failed_log_records_total`, companion: `otelcol_exporter_sent_log_records_total`},
	{name: "Alloy gave up on metric points", job: "alloy", counter: `otelcol_exporter_send_failed_metric_points_total`, companion: `otelcol_exporter_sent_metric_points_total`},
	{name: "Alloy's queue was full", job: "alloy", counter: `otelcol_exporter_enqueue_failed_.+_total`, companion: queues},
	{name: "Loki discarded lines", job: "loki", counter: `loki_(ingester_wal_)?discarded_samples_total`, companion: lokiReceived, where: lokiAgain},
	{name: "Loki discarded bytes", job: "loki", counter: `loki_(ingester_wal_)?discarded_bytes_total`, companion: lokiReceived, where: lokiAgain},
	{name: "Loki cut lines", job: "loki", counter: `loki_mutated_samples_total`, companion: lokiReceived},
	{name: "Tempo refused spans", job: "tempo", counter: `tempo_receiver_refused_spans`},
	{name: "Tempo discarded spans", job: "tempo", counter: `tempo_discarded_spans_total`, where: `,reason!="rate_limited"`},
	{name: "Tempo cut attributes", job: "tempo", counter: `tempo_distributor_attributes_truncated_total`, companion: tempoReceived},
	{name: "Tempo did not reach its generator", job: "tempo", counter: `tempo_distributor_metrics_generator_pushes_failures_total`, companion: tempoReceived},
	{name: "Tempo's generator discarded spans", job: "tempo", counter: `tempo_metrics_generator_spans_discarded_total`, where: `,reason!="span_metrics_filtered"`},
	{name: "Tempo's generator had too many series", job: "tempo", counter: `tempo_metrics_generator_registry_series_limited_total`},
	{name: "Tempo's generator failed to write samples", job: "tempo", counter: `prometheus_remote_storage_(samples|histograms|exemplars)_(failed|dropped)_total`, where: `,reason!="dropped_series"`},
	{name: "Mimir discarded samples", job: "mimir", counter: `cortex_discarded_samples_total`, companion: mimirReceived, where: `,reason!~"rate_limited|sample_duplicate_timestamp"`},
	{name: "Mimir discarded requests", job: "mimir", counter: `cortex_discarded_requests_total`, companion: mimirReceived, where: `,reason!="rate_limited"`},
	{name: "Mimir discarded exemplars", job: "mimir", counter: `cortex_discarded_exemplars_total`, companion: `cortex_distributor_received_exemplars_total`},
	{name: "Mimir's ruler failed to evaluate rules", job: "mimir", counter: `cortex_prometheus_rule_evaluation_failures_total`, companion: ruleEvaluations},
	{name: "Mimir's ruler failed to query or write", job: "mimir", counter: `cortex_ruler_(queries|write_requests)_failed_total`, companion: ruleEvaluations},
}

// forwarding is what the endpoint of `lab up --forward` did not take. It is no loss of the
// lab, and not there without --forward.
var forwarding = loss{
	name: "nothing of the copy was given up", job: "alloy",
	counter: `lab_forward_copy_given_up_total`, companion: `lab_forward_copy_exporter_queue_size`,
}

// selector matches what the component counts as lost. Mimir counts an exemplar as too
// old when it has it already: the SDK exports the exemplar of an idle histogram
// again and again. So that reason is left out.
func (l loss) selector() string {
	return fmt.Sprintf(`{__name__=~%q,job=%q,reason!="exemplar_too_old"%s}`, l.counter, l.job, l.where)
}

// present selects what must be there for the counter to mean anything.
func (l loss) present() string {
	if l.companion == "" {
		return l.selector()
	}
	return fmt.Sprintf(`{__name__=~%q,job=%q}`, l.companion, l.job)
}

// nothingLost checks that no counter of a loss has changed since before was read, and
// that Alloy's queues are empty. arrived is when all telemetry had been found.
func (v *verifier) nothingLost(ctx context.Context, before baseline, arrived time.Time) {
	// The latest losses are counted at the next scrape.
	if wait.For(ctx, time.Until(arrived.Add(v.timing.export))) != nil {
		return
	}
	outcomes, took := make([]outcome, len(losses)), make([]time.Duration, len(losses))
	var all sync.WaitGroup
	for i, l := range losses {
		all.Go(func() {
			begin := time.Now()
			measured, err := v.lost(ctx, l, before.get(l.selector()))
			outcomes[i], took[i] = outcome{measured, err}, time.Since(begin)
		})
	}
	all.Wait()
	for i, l := range losses {
		v.add("nothing lost", l.name, "0", outcomes[i], took[i])
	}
	v.queuesEmpty(ctx)
	v.forwarded(ctx, before)
}

// forwarded checks, where Alloy sends a copy to another endpoint, that it has given up
// nothing of the copy.
func (v *verifier) forwarded(ctx context.Context, before baseline) {
	_, forwards, err := v.mimir.Scalar(ctx, sumOver(forwarding.present(), v.timing.alive), time.Now())
	// When Mimir does not say, every other check of it fails.
	if err != nil || !forwards {
		return
	}
	v.check("forward", forwarding.name, "0", func() (string, error) {
		measured, err := v.risen(ctx, forwarding.job, before.get(forwarding.selector()))
		if err != nil {
			err = fmt.Errorf("%w. The endpoint of --forward refused the copy, or was away", err)
		}
		return measured, err
	})
}

// lost compares the counter of a loss with what it was, if the component works.
func (v *verifier) lost(ctx context.Context, l loss, before counter) (string, error) {
	_, works, err := v.mimir.Scalar(ctx, sumOver(l.present(), v.timing.alive), time.Now())
	if err != nil {
		return "", err
	}
	if !works && !v.hasServices() {
		return "", nothingSent
	}
	if !works {
		return "", fmt.Errorf("%s has no sample within %v: %s is not scraped, or counts under another name", l.present(), v.timing.alive, l.job)
	}
	return v.risen(ctx, l.job, before)
}

// risen fails if a counter of the job is not what it was.
func (v *verifier) risen(ctx context.Context, job string, before counter) (string, error) {
	by, err := v.rise(ctx, before)
	switch {
	case errors.Is(err, errNoSeries) && before.value == 0:
		return "0", nil // nothing was ever lost
	case err != nil:
		return "", err
	case by > 0:
		return fmt.Sprintf("%.0f", by), fmt.Errorf("%s has risen from %.0f to %.0f since %s; the log of %s says why",
			before.selector, before.value, before.value+by, before.at.Format(time.TimeOnly), job)
	case by < 0:
		return "unknown", fmt.Errorf("%s has fallen from %.0f to %.0f: %s was started again after %s",
			before.selector, before.value, before.value+by, job, before.at.Format(time.TimeOnly))
	}
	return "0", nil
}

// queueSize is how many spans, log records or metric points wait in Alloy, for each
// exporter that has a queue.
//
// The queue of what Alloy scrapes is left out: Alloy's scrape of itself may find another
// scrape there each time. Were that queue stuck, none of these figures would be new.
const queueSize = queues + `{job="alloy",component_id!="otelcol.exporter.otlphttp.scraped"}`

// queuesEmpty checks that each of Alloy's queues is empty at some time. Items that wait
// while everything else has arrived are stuck, and no counter counts them.
func (v *verifier) queuesEmpty(ctx context.Context) {
	v.check("nothing lost", "Alloy's queues are empty", "0 items wait", func() (string, error) {
		waiting := map[string]float64{} // the least that was seen, by exporter
		err := v.poll(ctx, v.timing.queues, func(ctx context.Context) error {
			samples, err := v.mimir.Instant(ctx, "max by (component_id) (last_over_time("+withRange(queueSize, v.timing.alive)+"))", time.Now())
			if err != nil {
				return err
			}
			if len(samples) == 0 {
				return fmt.Errorf("%w within %v: %s", errNoSeries, v.timing.alive, queueSize)
			}
			for _, s := range samples {
				exporter := s.Labels["component_id"]
				if least, seen := waiting[exporter]; !seen || s.Value < least {
					waiting[exporter] = s.Value
				}
			}
			var stuck []string
			for _, exporter := range slices.Sorted(maps.Keys(waiting)) {
				if waiting[exporter] > 0 {
					stuck = append(stuck, fmt.Sprintf("%.0f in %s", waiting[exporter], exporter))
				}
			}
			if len(stuck) > 0 {
				return fmt.Errorf("at least that many items wait all the time: %s; the log of alloy says why they are not sent", strings.Join(stuck, ", "))
			}
			return nil
		})
		if len(waiting) == 0 {
			return "", err
		}
		total := 0.0
		for _, least := range waiting {
			total += least
		}
		return fmt.Sprintf("%.0f", total), err
	})
}
