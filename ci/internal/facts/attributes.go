package facts

import (
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// The levels of attributes, as [Attribute.Level] has them.
const (
	levelResource = "resource"
	levelScope    = "scope"
	levelSpan     = "span"
	levelEvent    = "event"
	levelLink     = "link"
	levelLog      = "log"
	levelMetric   = "metric"
)

// An attributeTable has what is known of attributes by their level and key.
type attributeTable map[attributeKey]*attribute

type attributeKey struct{ level, key string }

// An attribute is an Attribute that still counts.
type attribute struct {
	Attribute
	values valueSet
	// sensitive are the findings in values that were seen before, by the values' hash: a
	// value is searched once, and counts each time.
	sensitive map[uint64][]*Sensitive
	// expired is the minute in which old values were last taken out of a full set.
	expired uint32
}

// A valueSet counts different values by their hashes, up to a limit. Each hash has the
// minute in which it was last seen, in minutes since 1970.
type valueSet map[uint64]uint32

// see notes a value. It returns whether the value is in the set, and whether it was there
// before.
func (r *record) see(set *valueSet, hash uint64, limit int, now time.Time) (kept, known bool) {
	minute := uint32(now.Unix() / 60)
	if *set == nil {
		*set = valueSet{}
	}
	if _, known = (*set)[hash]; known {
		(*set)[hash] = minute
		return true, true
	}
	if len(*set) >= limit {
		return false, false
	}
	if r.values >= r.keeper.limits.recordValues || r.keeper.values >= r.keeper.limits.values {
		r.reached[boundValues]++
		return false, false
	}
	(*set)[hash] = minute
	r.values++
	r.keeper.values++
	return true, false
}

// expire takes values out of the set that were last seen before the given time.
func (r *record) expire(set valueSet, before time.Time) {
	minute := uint32(before.Unix() / 60)
	for hash, last := range set {
		if last < minute {
			delete(set, hash)
			r.values--
			r.keeper.values--
		}
	}
}

// observeAll notes each of the attributes.
func (r *record) observeAll(level string, m pcommon.Map, traceID string) {
	for key, value := range m.All() {
		r.observe(&r.attributes, level, key, value, traceID)
	}
}

// observe notes one attribute with its value in a table: the record's or a metric's.
func (r *record) observe(table *attributeTable, level, key string, value pcommon.Value, traceID string) {
	now := r.last
	a, ok := (*table)[attributeKey{level, key}]
	if !ok {
		limit, reached := r.keeper.limits.attributes, boundAttributes
		if level == levelMetric && table != &r.attributes {
			limit, reached = r.keeper.limits.metricAttributes, boundMetricAttributes
		}
		if len(*table) >= limit {
			r.reached[reached]++
			return
		}
		key = shorten(key, maxText)
		a = &attribute{Attribute: Attribute{Key: key, Level: level, TraceID: traceID}}
		(*table)[attributeKey{level, key}] = a
	}
	a.Count++
	hash := r.hash(value)
	kept, known := r.see(&a.values, hash, MaxAttributeValues, now)
	if minute := uint32(now.Unix() / 60); !kept && level == levelMetric && minute != a.expired {
		a.expired = minute
		r.expire(a.values, now.Add(-metricWindow))
		kept, known = r.see(&a.values, hash, MaxAttributeValues, now)
	}
	if known {
		for _, s := range a.sensitive[hash] {
			s.Count++
		}
		return
	}
	found := r.readValue(a, value, traceID, table == &r.attributes)
	if kept && len(found) > 0 {
		if a.sensitive == nil {
			a.sensitive = map[uint64][]*Sensitive{}
		}
		a.sensitive[hash] = found
	}
}

// readValue notes what is new about a value that was not seen before, and searches it for
// secrets and personal data.
func (r *record) readValue(a *attribute, value pcommon.Value, traceID string, search bool) []*Sensitive {
	if name := typeName(value.Type()); name != "" && !slices.Contains(a.Types, name) {
		a.Types = append(a.Types, name)
	}
	s := value.AsString()
	a.LongestBytes = max(a.LongestBytes, len(s))
	if len(a.Examples) < MaxExamples {
		a.Examples = append(a.Examples, excerpt(masked(a.Key, shorten(s, maxScanned)), maxExample))
	}
	if !search {
		return nil
	}
	return r.search(a.Level+" "+a.Key, a.Key, s, traceID)
}

func typeName(t pcommon.ValueType) string {
	switch t {
	case pcommon.ValueTypeStr:
		return "string"
	case pcommon.ValueTypeBool:
		return "bool"
	case pcommon.ValueTypeInt:
		return "int"
	case pcommon.ValueTypeDouble:
		return "double"
	case pcommon.ValueTypeSlice:
		return "array"
	case pcommon.ValueTypeMap:
		return "map"
	case pcommon.ValueTypeBytes:
		return "bytes"
	}
	return "" // a value that is empty has no type
}

// list returns the table's attributes. Values that were last seen before the given time do
// not count.
func (t attributeTable) list(since time.Time) []Attribute {
	list := []Attribute{}
	minute := uint32(max(since.Unix(), 0) / 60)
	for _, a := range t {
		out := a.Attribute
		out.Types = append([]string{}, a.Types...)
		out.Examples = append([]string{}, a.Examples...)
		for _, last := range a.values {
			if last >= minute {
				out.Values++
			}
		}
		list = append(list, out)
	}
	sortAttributes(list)
	return list
}
