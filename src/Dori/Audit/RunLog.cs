using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary>
/// <c>run.json</c>: who had what computed, and when. Kept apart from manifest, units and summary, whose bytes depend on no clock.
/// </summary>
internal sealed record RunLog
{
    public const string Current = "dori.run/1", FileName = "run.json";

    public string Schema { get; init; } = Current;
    /// <summary>What the report is called; null: after the model.</summary>
    public string? Title { get; init; }
    /// <summary>Who answers for it.</summary>
    public string? Auditor { get; init; }
    public string? Note { get; init; }
    /// <summary>Every time that the program worked on the run, in their order.</summary>
    public IReadOnlyList<RunSession> Sessions { get; init => field = value ?? []; } = [];

    [JsonIgnore] public DateTimeOffset? Started => Sessions is [var first, ..] ? first.Started : null;
    /// <summary>Null where the last session did not come to its end, or one of several at a time has not yet.</summary>
    [JsonIgnore] public DateTimeOffset? Finished => Sessions is [.., { Finished: { } }] ? Sessions.Max(session => session.Finished) : null;
    /// <summary>Versions that worked on it.</summary>
    [JsonIgnore] public IReadOnlyList<string> Versions => [.. Sessions.Select(session => session.Version).Distinct()];

    internal string? Problem() => Schema != Current ? $"its schema is {Schema}; this version reads {Current}"
        : Sessions.Any(session => session?.Version is null || session.Command is null || session.Process is null) ? "a session is not whole"
            : null;
}

/// <param name="Started">In UTC, to the second.</param>
/// <param name="Finished">Null where it was stopped before its end.</param>
/// <param name="Version">Of the program, with its commit.</param>
/// <param name="Command">The command line; empty where a program made the run.</param>
/// <param name="Process">Which process of which machine: several may work at one folder.</param>
internal sealed record RunSession(DateTimeOffset Started, DateTimeOffset? Finished, string Version, string Command, string Process);
