using Dori.Diffusion;
using static TorchSharp.torch;

namespace Dori.Search;

/// <summary>
/// A search for any conditioning that makes a frozen model give a picture back. Implement it to try another one: an audit runs it from
/// every start, with controls beside the pictures. One instance serves several threads at once.
/// </summary>
public interface ISearch
{
    /// <summary>What it does and how much of it, for records and reports: "50 steps of Adam at 0.1, ...".</summary>
    string Description { get; }

    /// <param name="targets">z0 of the picture and of further references of the same memory: (R, 4, h, w), scaled</param>
    /// <param name="start">One row; left as it is</param>
    /// <param name="random">All of the search's randomness.</param>
    /// <param name="onStep">Told the number of steps done and the last loss.</param>
    /// <param name="enough">
    /// Shown what was found after each of the wanted steps, as soon as it is; true: the search ends there. Null: it runs to its end. One
    /// that never asks costs more and finds no less.
    /// </param>
    /// <param name="cancellation">Looked at before every step.</param>
    /// <returns>What was found after each of the wanted steps, of which the last is what a verdict rests on.</returns>
    SearchResult Run(DiffusionModel model, Tensor targets, Conditioning start, RandomSource random, Action<int, float>? onStep = null,
        Func<int, Conditioning, bool>? enough = null, CancellationToken cancellation = default);
}
