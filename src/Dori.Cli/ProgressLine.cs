using Dori.Audit;

namespace Dori.Cli;

/// <summary>How far a run is, and how long the rest will take.</summary>
internal static class ProgressLine
{
    public static string Of(RunProgress progress) => $"{progress.Share * 100,3:0} %  {progress.Finished} of {progress.Pieces}  "
        + $"{(progress.Share < 0.005 ? "" : $"{CostEstimate.Show(progress.Left)} left")}  {progress.Piece}";
}
