package chaos

import (
	"fmt"
	"time"
)

// A Promise is something that the lab keeps to whatever happens, within the bounds that its
// text names.
type Promise struct {
	// ID is short and never changes, such as P1.
	ID string
	// Title says what it is about, in a few words.
	Title string
	// Text is the promise.
	Text string
}

// The ids of the promises.
const (
	Users      = "P1"
	Traces     = "P2"
	Lines      = "P3"
	Counters   = "P4"
	Exemplars  = "P5"
	Freshness  = "P6"
	Unexported = "P7"
	Unnoticed  = "P8"
	Alerts     = "P9"
	Overload   = "P10"
	Memory     = "P11"
	OneTenant  = "P12"
	Unflushed  = "P13"
	SentAgain  = "P14"
	Scraped    = "P20"
	Damage     = "P21"
	FullDisk   = "P22"
	FullTempo  = "P23"
	FullAlloy  = "P24"
	WrongClock = "P25"
)

// Bounds that the promises name.
const (
	// fresh is the time after the end of the harm within which every signal is fresh.
	fresh = time.Minute
	// unexported is how long a span or a line waits in a service before it is exported: a
	// second (OTEL_BSP_SCHEDULE_DELAY, OTEL_BLRP_SCHEDULE_DELAY), and one for the export.
	unexported = 2 * time.Second
	// uncounted is the same for counters: OTEL_METRIC_EXPORT_INTERVAL, and one second.
	uncounted = 6 * time.Second
	// unflushed is how old a span may be that Tempo has not written: up to a second in the
	// service and one on its way, a second until its trace is idle (trace_idle_period), one
	// until Tempo looks (flush_check_period), and one for the writing.
	unflushed = 5 * time.Second
	// unanswered is how old a span may be that is on its way when its receiver is frozen: a
	// second in the service, and its time in Alloy.
	unanswered = 5 * time.Second
)

// Promises lists the promises in the order of their ids.
func Promises() []Promise {
	return []Promise{
		{Users, "users", "What was acknowledged is kept: a user whose creation was answered 201 is in the database, whole and once; a user whose deletion was answered 204 is not."},
		{Traces, "traces", "Each request that was answered has its trace in Tempo: one, joined across the services that have answered, each span once."},
		{Lines, "log lines", "Each request that was answered has one access-log line of each service that has answered it in Loki, and never two."},
		{Counters, "counters", "The services' counters of requests in Mimir have counted each request that was answered, and no request twice."},
		{Exemplars, "exemplars", "Each exemplar of a request leads to a stored trace."},
		{Freshness, "freshness", "One minute after the end of the harm (eight after `tenant-labels`, see P12) every signal is fresh: a request that was sent after the end is found as trace, in a search, as log line, as metric and exemplar, and in the metrics made of spans."},
		{Unexported, "a killed service", "A service that is killed (−9) takes with it the telemetry that it had not exported, and nothing else: at most the spans and lines of its last 2 seconds and the counts of its last 6."},
		{Unnoticed, "users notice nothing", "While the collector, a store or Grafana is away or frozen, the services answer every request as usual."},
		{Alerts, "alerts", "A component that is away for longer than its alert waits is alerted, and the alert is over when the component is back. Only `lab chaos --alerts` waits for that."},
		{Overload, "overload", fmt.Sprintf("With %d times the requests that the lab can take, every request is answered: as usual, or with 503 and Retry-After. Of those that are accepted, 99 %% are answered within %v. Health probes are answered.", overloadFactor, acceptedWithin)},
		{Memory, "bounded memory", fmt.Sprintf("Whatever is sent, no component ends, and none takes more than %d MB of memory.", mostMemory>>20)},
		{OneTenant, "one tenant", "A sender of too much, or of what cannot be stored, is answered each time: taken, refused, or told to send again. Its neighbours lose nothing and wait for nothing, but for one thing: when a sender has filled Loki's streams, and no stream is idle yet, log lines wait in Alloy's queue, for eight minutes at most, and some may be there twice afterwards ([limits](limits.md))."},
		{Unflushed, "a killed Tempo", "Tempo that is killed (−9) takes the spans with it that it had not written, and nothing else: at most those of the last 5 seconds. Asked to end (SIGTERM), it takes none."},
		{SentAgain, "sent again", "Alloy or Tempo that is frozen and goes on may store a span twice, and Loki a line: its sender had no answer, and has sent it again. That befalls what was under way: none that was older than 5 seconds when the harm began, and none from after its end. Nothing is lost by it, and no count is doubled."},
		{Scraped, "the stack's own metrics", "What Alloy scrapes of the stack while Mimir is away is stored when Mimir is back, as long as Alloy's queue for it has room: more than an hour."},
		{Damage, "damaged files", "A store whose newest files are damaged is started again by `lab up`, and in a cluster by its pod, without anybody's help. It lacks at most what it had not yet written to its blocks or chunks; what comes after the damage is stored."},
		{FullDisk, "a full disk", "A component whose disk is full goes on as soon as there is room again: it does not end, nobody starts it again, and nothing of its data is deleted. What it cannot store waits for it at the sender. The backend answers creations and deletions with 503 and Retry-After meanwhile, and all other requests as usual."},
		{FullTempo, "Tempo's full disk", "Tempo is the exception from P22: it accepts spans while its disk is full, and loses them, and those that come after, until it is started again. StoreWritesFailing says so. It loses none that was older than 5 seconds when the disk was full, and none from after its start."},
		{FullAlloy, "Alloy's full disk", "Alloy refuses what it cannot keep while its disk is full, and the services send it again. What it takes all the same may be lost: its queue forgets a batch that it cannot mark as handed on. It loses none that was older than 5 seconds when the disk was full, and none from after its end."},
		{WrongClock, "a wrong clock", "A sender whose clock is set an hour back or ahead loses no span and no log line; lines from ahead are stored at the time of their arrival, with their own beside it. Its metrics from behind are stored where they claim to be. Those from ahead are left out, each of them is counted, and MetricsLost says so."},
	}
}

// byID returns the promise.
func byID(id string) Promise {
	for _, p := range Promises() {
		if p.ID == id {
			return p
		}
	}
	return Promise{ID: id, Title: "unknown"}
}
