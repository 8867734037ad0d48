package facts

import (
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// readLogs counts the log records of a resource.
func (r *record) readLogs(res *resource, scopes plog.ScopeLogsSlice, now time.Time) {
	for _, sl := range scopes.All() {
		r.observeAll(levelScope, sl.Scope().Attributes(), "")
		for _, line := range sl.LogRecords().All() {
			r.readLog(res, line, now)
		}
	}
}

func (r *record) readLog(res *resource, line plog.LogRecord, now time.Time) {
	id := ""
	if !line.TraceID().IsEmpty() {
		id = line.TraceID().String()
	}
	r.logs.Count++
	severity := line.SeverityNumber()
	if severity < 0 || severity > plog.SeverityNumberFatal4 {
		severity = plog.SeverityNumberUnspecified // not one of OTLP's
	}
	r.logs.Severities[strconv.Itoa(int(severity))]++
	r.logs.WithoutSeverity.add(hit(severity == 0, logExample(line, strings.TrimSpace("no severity number "+shorten(line.SeverityText(), 40)))))
	if severity > 0 {
		r.readDebug(res, line, severity, now)
	}
	r.logs.Dropped.add(hit(line.DroppedAttributesCount() > 0, logExample(line, decimal(uint64(line.DroppedAttributesCount()))+" attributes dropped")))
	r.observeAll(levelLog, line.Attributes(), id)
	r.search("log body", "", line.Body().AsString(), id)
	r.readTraceOf(res, line)
}

// readDebug counts a record that has a severity number.
func (r *record) readDebug(res *resource, line plog.LogRecord, severity plog.SeverityNumber, now time.Time) {
	r.logs.Debug.add(hit(severity < plog.SeverityNumberInfo, logExample(line, res.environment)))
	if severity < plog.SeverityNumberDebug || severity > plog.SeverityNumberDebug4 || !production(res.environment) {
		return
	}
	at := written(line, now)
	if r.logs.DebugFirst.IsZero() || at.Before(r.logs.DebugFirst) {
		r.logs.DebugFirst = at
	}
	if at.After(r.logs.DebugLast) {
		r.logs.DebugLast = at
	}
}

// written is when a record was written, by its own time or that of its observation; now for
// one that has neither, or one of the future.
func written(line plog.LogRecord, now time.Time) time.Time {
	at := line.Timestamp()
	if at == 0 {
		at = line.ObservedTimestamp()
	}
	if at == 0 || at.AsTime().After(now) {
		return now
	}
	return at.AsTime()
}

// production tells whether a deployment environment's name is that of production.
func production(environment string) bool {
	switch strings.ToLower(environment) {
	case "production", "prod":
		return true
	}
	return false
}

// A requestLog has the latest requests of a process, and its latest log records without a
// trace id. Each of the two may arrive before the other.
type requestLog struct {
	requests []request
	next     int
	untraced []untracedLog
	nextLog  int
}

// A request is the time within which a process handled one.
type request struct{ start, end pcommon.Timestamp }

// An untracedLog is a log record without a trace id that no request was found for yet.
type untracedLog struct {
	at      pcommon.Timestamp
	example Example
	found   bool
}

// readTraceOf counts a log record that carries a trace id, and one that was written while
// its process handled a request.
func (r *record) readTraceOf(res *resource, line plog.LogRecord) {
	if !line.TraceID().IsEmpty() {
		r.logs.WithoutTrace.add(nil)
		return
	}
	at := line.Timestamp()
	if at == 0 {
		at = line.ObservedTimestamp()
	}
	example := logExample(line, "written while the process handled a request")()
	for _, q := range res.requests.requests {
		if q.start <= at && at <= q.end {
			r.logs.WithoutTrace.add(func() Example { return example })
			return
		}
	}
	res.requests.keepLog(untracedLog{at: at, example: example}, r.keeper.limits.untracedLogs)
}

// readRequest keeps a request, and counts the records without a trace id that were written
// in it.
func (r *record) readRequest(res *resource, q request) {
	log := &res.requests
	if len(log.requests) < r.keeper.limits.requests {
		log.requests = append(log.requests, q)
	} else {
		log.requests[log.next] = q
		log.next = (log.next + 1) % len(log.requests)
	}
	for i := range log.untraced {
		u := &log.untraced[i]
		if !u.found && q.start <= u.at && u.at <= q.end {
			u.found = true
			r.logs.WithoutTrace.add(func() Example { return u.example })
		}
	}
}

// keepLog keeps a record for the requests that are still to come, in the place of the
// oldest if there is no room.
func (log *requestLog) keepLog(u untracedLog, limit int) {
	if len(log.untraced) < limit {
		log.untraced = append(log.untraced, u)
		return
	}
	log.untraced[log.nextLog] = u
	log.nextLog = (log.nextLog + 1) % limit
}

func logExample(line plog.LogRecord, detail string) func() Example {
	return func() Example {
		e := Example{Name: excerpt(masked("", shorten(line.Body().AsString(), maxScanned)), 2*maxExample), Detail: detail}
		if !line.TraceID().IsEmpty() {
			e.TraceID, e.SpanID = line.TraceID().String(), line.SpanID().String()
		}
		return e
	}
}
