// Package copies reads what became of the copies of the telemetry that config/alloy/copy
// makes, from Alloy's own metrics.
package copies

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// The copies, as Alloy names their modules.
const (
	Forward   = "/forward.copy.lab"
	Inspector = "/inspector.copy.lab"
)

// maxMetrics bounds Alloy's answer, in bytes.
const maxMetrics = 32 << 20

// Ask asks the Alloy at a base URL what became of a copy. made is false where Alloy makes no
// such copy.
func Ask(ctx context.Context, client *http.Client, alloy, module string) (c target.Copy, made bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, alloy+"/metrics", nil)
	if err != nil {
		return c, false, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return c, false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c, false, fmt.Errorf("Alloy's /metrics answered %s", resp.Status)
	}
	return Read(io.LimitReader(resp.Body, maxMetrics), module)
}

// Read reads what became of a copy from Alloy's metrics, as their text.
func Read(metrics io.Reader, module string) (c target.Copy, made bool, err error) {
	lines := bufio.NewScanner(metrics)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		name, ok := strings.CutPrefix(line, "otelcol_exporter_")
		if !ok || !strings.Contains(line, `component_path="`+module+`"`) {
			continue
		}
		made = true
		name, _, _ = strings.Cut(name, "{")
		value, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		if err != nil {
			return c, made, fmt.Errorf("reading Alloy's %s: %w", name, err)
		}
		switch name {
		case "queue_size":
			c.QueueBytes += int64(value)
			continue
		case "queue_capacity":
			c.QueueCapacityBytes = max(c.QueueCapacityBytes, int64(value)) // the signals share the queue
			continue
		}
		add(&c.Sent, name, "sent_", value)
		add(&c.GivenUp, name, "send_failed_", value)
		add(&c.GivenUp, name, "enqueue_failed_", value)
	}
	return c, made, lines.Err()
}

// add adds a counter to the items of its kind if it is one with the prefix.
func add(items *target.Items, name, prefix string, value float64) {
	kind, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return
	}
	switch kind {
	case "spans_total":
		items.Spans += uint64(value)
	case "log_records_total":
		items.LogRecords += uint64(value)
	case "metric_points_total":
		items.MetricPoints += uint64(value)
	}
}
