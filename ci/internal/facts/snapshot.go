package facts

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// snapshot is a copy of the record's facts: lists are sorted, and never nil.
func (r *record) snapshot(traces *traceTable, now time.Time) Service {
	return Service{
		Name: r.name, RunID: r.run, FirstSeen: r.first, LastSeen: r.last,
		Resources:  r.listResources(),
		Spans:      r.listSpans(traces, now),
		Logs:       r.listLogs(),
		Metrics:    r.listMetrics(now),
		Attributes: r.attributes.list(time.Time{}),
		Sensitive:  r.listSensitive(),
		Bounds:     r.listBounds(),
	}
}

func (r *record) listResources() []Resource {
	list := []Resource{}
	for hash, entry := range r.resources {
		if hash == 0 {
			continue // that of the resources beyond the limit
		}
		out := entry.Resource
		out.Attributes = maps.Clone(entry.Attributes)
		out.Signals = slices.Sorted(slices.Values(entry.Signals))
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b Resource) int { return a.FirstSeen.Compare(b.FirstSeen) })
	return list
}

func (r *record) listSpans(traces *traceTable, now time.Time) Spans {
	s := r.spans
	s.Names = uint64(len(r.names))
	s.Operations = []Operation{}
	for _, o := range r.operations {
		s.Operations = append(s.Operations, o.Operation)
	}
	slices.SortFunc(s.Operations, func(a, b Operation) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind))
	})
	t := traces.tallies(r, now)
	s.ManyInternal, s.Orphans, s.ManyShort, s.Skewed = t.manyInternal, t.orphans, t.manyShort, t.skewed
	for _, tally := range []*Tally{&s.ManyInternal, &s.Orphans, &s.ClientRoots, &s.ManyShort, &s.WithoutRoute, &s.WithoutErrorType, &s.Skewed, &s.Dropped} {
		*tally = tally.plus(Tally{})
	}
	return s
}

func (r *record) listLogs() Logs {
	l := r.logs
	l.Severities = maps.Clone(l.Severities)
	for _, tally := range []*Tally{&l.WithoutSeverity, &l.Debug, &l.WithoutTrace, &l.Dropped} {
		*tally = tally.plus(Tally{})
	}
	return l
}

func (r *record) listMetrics(now time.Time) []Metric {
	list := []Metric{}
	for _, m := range r.metrics {
		out := m.Metric
		out.Units = append([]string{}, m.Units...)
		out.Types = append([]string{}, m.Types...)
		out.Temporalities = append([]string{}, m.Temporalities...)
		out.Boundaries = append([]string{}, m.Boundaries...)
		out.Series = uint64(len(m.series))
		for _, boundaries := range m.Boundaries {
			n, last := uint64(0), 0
			for i, u := range m.used[boundaries] {
				if u {
					n, last = n+1, i
				}
			}
			out.UsedBuckets = max(out.UsedBuckets, n)
			if n == 1 {
				out.OnlyBucket = bucketAt(boundaries, last)
			}
		}
		if out.UsedBuckets > 1 {
			out.OnlyBucket = nil
		}
		out.Attributes = m.attributes.list(now.Add(-metricWindow))
		list = append(list, out)
	}
	slices.SortFunc(list, func(a, b Metric) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// bucketAt returns a bucket by its place among the boundaries, as [joined] writes them; nil
// where there are none, and beyond those that are listed.
func bucketAt(boundaries string, i int) *Bucket {
	bounds := strings.Split(boundaries, ",")
	if boundaries == "" || i > len(bounds) {
		return nil
	}
	var b Bucket
	if i > 0 {
		b.Above = number(bounds[i-1])
	}
	if i < len(bounds) {
		b.UpTo = number(bounds[i])
	}
	return &b
}

func number(text string) *float64 {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil // the mark of those that are not listed
	}
	return &f
}

func (r *record) listSensitive() []Sensitive {
	list := []Sensitive{}
	for _, s := range r.sensitive {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b Sensitive) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Where, b.Where))
	})
	return list
}

func (r *record) listBounds() []string {
	list := []string{}
	for b, n := range r.reached {
		if n > 0 {
			list = append(list, bound(b).sentence(n, r.keeper.limits))
		}
	}
	return list
}

func sortAttributes(list []Attribute) {
	slices.SortFunc(list, func(a, b Attribute) int { return cmp.Or(cmp.Compare(a.Level, b.Level), cmp.Compare(a.Key, b.Key)) })
}
