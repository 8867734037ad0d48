package main

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const name = "example.com/dice"

var (
	tracer   = otel.Tracer(name)
	meter    = otel.Meter(name)
	logger   = otelslog.NewLogger(name)
	rolls, _ = meter.Int64Counter("dice.rolls",
		metric.WithDescription("The number of rolls by roll value"), metric.WithUnit("{roll}"))
)

func rollDice(w http.ResponseWriter, r *http.Request) {
	ctx, span := tracer.Start(r.Context(), "roll")
	defer span.End()

	roll := 1 + rand.IntN(6)
	player := r.PathValue("player")
	if player == "" {
		player = "anonymous player"
	}
	logger.InfoContext(ctx, player+" is rolling the dice", slog.Int("dice.value", roll))

	value := attribute.Int("dice.value", roll)
	span.SetAttributes(value)
	rolls.Add(ctx, 1, metric.WithAttributes(value))
	fmt.Fprintln(w, roll)
}
