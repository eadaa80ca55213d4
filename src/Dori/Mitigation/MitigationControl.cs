using System.Globalization;
using Dori.Training;

namespace Dori.Mitigation;

/// <summary>How far a mitigation is.</summary>
/// <param name="What">Is counted, such as <c>step</c> or <c>prompt</c>.</param>
/// <param name="Losses">Of a training's step, by name; else empty.</param>
public readonly record struct MitigationProgress(string What, int Done, int All, IReadOnlyDictionary<string, double> Losses);

/// <summary>What a caller may see and decide of a mitigation on its way.</summary>
public sealed record MitigationControl
{
    /// <summary>Every random number follows from it.</summary>
    public long Seed { get; init; }
    internal Workers Workers { get; init; } = Workers.Single;
    public CancellationToken Cancellation { get; init; }
    public Action<MitigationProgress>? OnProgress { get; init; }
    /// <summary>Told in a line what is done.</summary>
    public Action<string>? Say { get; init; }
    /// <summary>Told in a line what may be wrong.</summary>
    public Action<string>? Warn { get; init; }
    /// <summary>Time since some moment, for estimates; null: none are made.</summary>
    public Func<TimeSpan>? Clock { get; init; }
    /// <summary>
    /// Where to keep what is expensive: surrogates, the state of an unfinished training. Made where it is missing; null: nowhere.
    /// </summary>
    public string? WorkFolder { get; init; }
    /// <summary>SHA-256 of the model's files, where it was loaded from some.</summary>
    public string ModelSha256 { get; init; } = "";
    /// <summary>Says which model and pictures these are. What another mitigation left in the work folder is refused.</summary>
    public string Identity { get; init; } = "";
    /// <summary>Steps from one writing of a training's state to the next.</summary>
    public int SaveEvery { get; init; } = 50;

    /// <summary>The state of an unfinished training.</summary>
    public string? StateFile => WorkFolder is null ? null : Path.Combine(WorkFolder, "state.safetensors");

    /// <summary>The seed in an identity of random numbers.</summary>
    internal string SeedText => Seed.ToString(CultureInfo.InvariantCulture);

    internal void Report(string what, int done, int all) =>
        OnProgress?.Invoke(new MitigationProgress(what, done, all, new Dictionary<string, double>()));

    /// <param name="more">What decides the training besides <see cref="Identity"/>.</param>
    internal TrainingControl Training(params IEnumerable<string> more) => new()
    {
        OnStep = progress => OnProgress?.Invoke(new MitigationProgress("step", progress.Step, progress.Steps, progress.Losses)),
        Cancellation = Cancellation,
        StateFile = StateFile,
        Identity = Sha256Text.Of(string.Join('\n', more.Prepend(Identity))),
        SaveEvery = SaveEvery,
    };
}
