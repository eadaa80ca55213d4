namespace Dori;

/// <summary>Who is told how a run goes, and who may end it. What is left out is not told.</summary>
public sealed record RunWatch
{
    /// <summary>What a user must know before believing the result, a sentence at a time.</summary>
    public Action<string> Warn { get; init; } = _ => { };
    /// <summary>What is begun, a line at a time.</summary>
    public Action<string> Say { get; init; } = _ => { };
    /// <summary>How far it is; called from several threads.</summary>
    public Action<RunProgress> Progress { get; init; } = _ => { };
    /// <summary>Asks for an end: what stands stays, and the same call goes on from there.</summary>
    public CancellationToken Cancellation { get; init; }

    internal void WarnAll(IEnumerable<string> sentences)
    {
        foreach (string sentence in sentences) Warn(sentence);
    }
}

/// <summary>How far a run is.</summary>
/// <param name="Share">Of its work, 0 to 1.</param>
/// <param name="Left">What the rest will take at the pace so far.</param>
/// <param name="Finished">Pieces that are done.</param>
/// <param name="Pieces">Pieces in all.</param>
/// <param name="Piece">The one that this is about.</param>
public readonly record struct RunProgress(double Share, TimeSpan Left, int Finished, int Pieces, string Piece);
