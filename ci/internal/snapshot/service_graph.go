package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// A call is an edge of the service graph: who calls whom.
type call struct {
	client, server string
	// rate is in requests per second, failed is the share of the requests that failed,
	// and mean their mean duration.
	rate, failed float64
	mean         time.Duration
}

// calls reads the service graph from the metrics that Tempo's generator makes of
// traces, as Grafana does. selector is a PromQL selector or "".
func (t *taker) calls(ctx context.Context, selector string, s TimeRange) ([]call, error) {
	window := fmt.Sprintf("[%ds]", max(1, int(s.Length().Seconds())))
	ask := func(metric string) (map[[2]string]float64, error) {
		series, err := t.mimir.At(ctx, "sum by (client, server) (rate("+metric+selector+window+"))", s.To)
		values := map[[2]string]float64{}
		for _, one := range series {
			values[[2]string{one.Labels["client"], one.Labels["server"]}] = reduce(one.Points, "last")
		}
		return values, err
	}
	rates, err := ask("traces_service_graph_request_total")
	if err != nil {
		return nil, err
	}
	failures, err := ask("traces_service_graph_request_failed_total")
	if err != nil {
		return nil, err
	}
	times, err := ask("traces_service_graph_request_server_seconds_sum")
	if err != nil {
		return nil, err
	}
	var all []call
	for edge, rate := range rates {
		c := call{client: edge[0], server: edge[1], rate: rate}
		if rate > 0 {
			c.failed = failures[edge] / rate
			c.mean = time.Duration(times[edge] / rate * float64(time.Second))
		}
		all = append(all, c)
	}
	return inOrder(all), nil
}

// inOrder sorts the calls in the direction of the requests: services that no other
// service calls come first.
func inOrder(calls []call) []call {
	depth := map[string]int{}
	for range calls { // no path is longer than the number of edges; this ends with cycles, too
		for _, c := range calls {
			if c.client != c.server {
				depth[c.server] = min(len(calls), max(depth[c.server], depth[c.client]+1))
			}
		}
	}
	slices.SortFunc(calls, func(a, b call) int {
		return cmp.Or(cmp.Compare(depth[a.client], depth[b.client]), cmp.Compare(a.client, b.client), cmp.Compare(a.server, b.server))
	})
	return calls
}

// callRow is a call as the page shows it.
type callRow struct {
	Client, Server, Rate, Mean, Failed string
	// Bad says that some failed.
	Bad bool
}

func callRows(calls []call) []callRow {
	var rows []callRow
	for _, c := range calls {
		rows = append(rows, callRow{
			Client: c.client, Server: c.server, Rate: format(c.rate, "reqps", nil),
			Mean: format(c.mean.Seconds(), "s", nil), Failed: format(c.failed, "percentunit", nil), Bad: c.failed > 0,
		})
	}
	return rows
}
