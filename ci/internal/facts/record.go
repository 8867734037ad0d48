package facts

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// A record has the facts of one service, or of one run of a service.
type record struct {
	keeper      *Keeper
	name, run   string
	first, last time.Time

	resources  map[uint64]*resource
	attributes attributeTable
	operations map[operationKey]*operation
	names      valueSet
	metrics    map[string]*metric
	sensitive  map[sensitivePlace]*Sensitive

	// spans and logs have the counts and tallies; their lists come from the fields above.
	spans Spans
	logs  Logs
	// traceTallies are those of the traces whose judgement is final.
	traceTallies traceTallies
	// points is the number of points of all metrics.
	points uint64
	// values is the number of hashes in all value sets.
	values int
	// reached counts what each bound left out.
	reached [bounds]uint64
}

// A resource is a resource within one record.
type resource struct {
	Resource
	hash        uint64
	environment string
	requests    requestLog
}

func newRecord(k *Keeper, key recordKey, now time.Time) *record {
	return &record{
		keeper: k, name: key.service, run: key.run, first: now, last: now,
		resources:  map[uint64]*resource{},
		attributes: attributeTable{},
		operations: map[operationKey]*operation{},
		metrics:    map[string]*metric{},
		sensitive:  map[sensitivePlace]*Sensitive{},
		logs:       Logs{Severities: map[string]uint64{}},
	}
}

// readResource returns the record's entry of a resource. Resources beyond the limit share
// one that is not listed.
func (r *record) readResource(res pcommon.Resource, schema, signal string, now time.Time) *resource {
	hash := r.hashMap(res.Attributes()) ^ maphash.String(r.keeper.seed, schema)
	entry, ok := r.resources[hash]
	if !ok {
		if len(r.resources) >= r.keeper.limits.resources {
			r.reached[boundResources]++
			entry = r.resources[0]
			if entry == nil {
				entry = &resource{}
				r.resources[0] = entry
			}
			return entry
		}
		entry = r.newResource(res, schema, now)
		entry.hash = hash
		r.resources[hash] = entry
	}
	entry.LastSeen = now
	if !slices.Contains(entry.Signals, signal) {
		entry.Signals = append(entry.Signals, signal)
	}
	return entry
}

func (r *record) newResource(res pcommon.Resource, schema string, now time.Time) *resource {
	entry := &resource{Resource: Resource{Attributes: map[string]string{}, SchemaURL: shorten(schema, maxText), FirstSeen: now}}
	n := 0
	for key, value := range res.Attributes().All() {
		r.observe(&r.attributes, levelResource, key, value, "")
		if n++; n <= maxResourceAttributes {
			entry.Attributes[shorten(key, maxText)] = masked(key, shorten(value.AsString(), maxText))
		}
	}
	entry.environment = cmp.Or(entry.Attributes["deployment.environment.name"], entry.Attributes["deployment.environment"])
	return entry
}

// maxResourceAttributes is the number of attributes of a resource that are listed.
const maxResourceAttributes = 100

// hashMap is a hash of attributes that does not depend on their order.
func (r *record) hashMap(m pcommon.Map) uint64 {
	sum := uint64(1)
	for key, value := range m.All() {
		sum += maphash.Comparable(r.keeper.seed, [2]uint64{maphash.String(r.keeper.seed, key), r.hash(value)})
	}
	return sum
}

// hash is a hash of a value and its type.
func (r *record) hash(v pcommon.Value) uint64 {
	seed := r.keeper.seed
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return maphash.String(seed, v.Str())
	case pcommon.ValueTypeInt:
		return maphash.Comparable(seed, v.Int())
	case pcommon.ValueTypeDouble:
		return maphash.Comparable(seed, v.Double())
	case pcommon.ValueTypeBool:
		return maphash.Comparable(seed, v.Bool())
	}
	return maphash.String(seed, v.AsString())
}

// add counts an item: seen, and a hit if example is not nil.
func (t *Tally) add(example func() Example) {
	t.Seen++
	if example == nil {
		return
	}
	t.Hits++
	if len(t.Examples) < MaxExamples {
		t.Examples = append(t.Examples, example())
	}
}

// plus is the sum of two tallies, with the examples of the first before those of the other.
func (t Tally) plus(other Tally) Tally {
	examples := append(append([]Example{}, t.Examples...), other.Examples...)
	return Tally{Seen: t.Seen + other.Seen, Hits: t.Hits + other.Hits, Examples: examples[:min(len(examples), MaxExamples)]}
}

// hit returns example if the item is a hit, else nil: the argument of [Tally.add].
func hit(is bool, example func() Example) func() Example {
	if !is {
		return nil
	}
	return example
}

// decimal writes a count in a sentence.
func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
