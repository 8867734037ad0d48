package inspector

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/copies"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Losses says how much of the copy Alloy dropped, by Alloy's own counters.
type Losses struct {
	// URL is Alloy's base URL.
	URL string
	// HTTP sends the requests; its timeout bounds an answer of the inspector.
	HTTP *http.Client

	mu      sync.Mutex
	dropped target.Items
}

// Read asks Alloy. It returns whether more spans were dropped than at the last Read.
func (l *Losses) Read(ctx context.Context) (spans bool, err error) {
	c, _, err := copies.Ask(ctx, l.HTTP, l.URL, copies.Inspector)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	spans = c.GivenUp.Spans > l.dropped.Spans
	l.dropped = c.GivenUp
	return spans, nil
}

// Sentences say what was dropped since Alloy started, of all services.
func (l *Losses) Sentences() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []string
	for _, kind := range []struct {
		n      uint64
		plural string
	}{{l.dropped.Spans, "spans"}, {l.dropped.LogRecords, "log records"}, {l.dropped.MetricPoints, "metric points"}} {
		if kind.n > 0 {
			list = append(list, fmt.Sprintf("Alloy dropped %d %s of the copy, of all services: the inspector was too slow or away.", kind.n, kind.plural))
		}
	}
	return list
}
