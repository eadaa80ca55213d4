using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Pictures;

internal static partial class Picture
{
    /// <summary>Weights that one matrix of a whole side may have (16 MB); beyond, it is cut into windows. The sums are the same.</summary>
    private const long LargestWeights = 1 << 22;

    /// <summary>Pixels of a resized picture that is computed whole even where a crop keeps little of it.</summary>
    private const long LargestWhole = 1 << 24;

    private const int WindowOutputs = 64;

    /// <summary>Output pixels <c>First .. First + Count - 1</c> of a side that has <c>Whole</c>.</summary>
    private readonly record struct Side(int Whole, int First, int Count);

    private static Tensor Resize(Tensor image, Side down, Side across, ResizeFilter filter)
    {
        using var scope = NewDisposeScope();
        Tensor result = Along(image.alias(), -1, across, filter);
        return Along(result, -2, down, filter).MoveToOuterDisposeScope();
    }

    /// <param name="dimension">-1: across; -2: down.</param>
    private static Tensor Along(Tensor image, int dimension, Side outputs, ResizeFilter filter)
    {
        int input = (int)image.shape[^(-dimension)];
        if (input == outputs.Whole) return outputs.Count == outputs.Whole ? image : image.narrow(dimension, outputs.First, outputs.Count);
        if (outputs.Count == outputs.Whole && (long)input * outputs.Whole <= LargestWeights)
            return Weighted(image, dimension, ResizeWeights(input, outputs.Whole, filter));

        long[] shape = [.. image.shape];
        shape[^(-dimension)] = outputs.Count;
        Tensor result = empty(shape, image.dtype, image.device);
        for (int done = 0; done < outputs.Count; done += WindowOutputs)
        {
            using var scope = NewDisposeScope();
            int count = Math.Min(WindowOutputs, outputs.Count - done);
            (int start, float[,] weights) = ResizeWindow(input, outputs.Whole, outputs.First + done, count, filter);
            Tensor part = Weighted(image.narrow(dimension, start, weights.GetLength(1)), dimension, weights);
            result.narrow(dimension, done, count).copy_(part);
        }
        return result;
    }

    private static Tensor Weighted(Tensor image, int dimension, float[,] weights)
    {
        Tensor matrix = tensor(weights).to(image.device); // (outputs, inputs)
        return dimension == -1 ? matmul(image, matrix.t()) : matmul(matrix, image);
    }

    /// <summary>Weights[o, i]: the share of input pixel i in output pixel o; every row sums to 1.</summary>
    internal static float[,] ResizeWeights(int input, int output, ResizeFilter filter)
    {
        var weights = new float[output, input];
        FillWeights(weights, input, output, 0, 0, filter);
        return weights;
    }

    /// <summary>The rows from <paramref name="first"/> on, over the input pixels that have a share in any of them.</summary>
    /// <returns>The first of these pixels, and Weights[o, i] of output first + o and input start + i.</returns>
    internal static (int Start, float[,] Weights) ResizeWindow(int input, int output, int first, int count, ResizeFilter filter)
    {
        int start = Window(input, output, first, filter).First, end = Window(input, output, first + count - 1, filter).End;
        var weights = new float[count, end - start];
        FillWeights(weights, input, output, first, start, filter);
        return (start, weights);
    }

    private static void FillWeights(float[,] weights, int input, int output, int firstOutput, int firstInput, ResizeFilter filter)
    {
        double scale = (double)input / output, widening = Math.Max(scale, 1);
        var row = new double[weights.GetLength(1)];
        for (int o = 0; o < weights.GetLength(0); o++)
        {
            double center = (firstOutput + o + 0.5) * scale;
            (int first, int end) = Window(input, output, firstOutput + o, filter);
            double sum = 0;
            for (int i = first; i < end; i++) sum += row[i - firstInput] = Kernel((i - center + 0.5) / widening, filter);
            for (int i = first; i < end; i++) weights[o, i - firstInput] = (float)(row[i - firstInput] / sum);
        }
    }

    /// <summary>Input pixels that have a share in an output pixel: First .. End - 1.</summary>
    private static (int First, int End) Window(int input, int output, int o, ResizeFilter filter)
    {
        double scale = (double)input / output, center = (o + 0.5) * scale;
        double support = (filter == ResizeFilter.Bilinear ? 1 : 2) * Math.Max(scale, 1);
        return (Math.Max((int)(center - support + 0.5), 0), Math.Min((int)(center + support + 0.5), input));
    }

    private static double Kernel(double x, ResizeFilter filter)
    {
        x = Math.Abs(x);
        if (filter == ResizeFilter.Bilinear) return x < 1 ? 1 - x : 0;
        const double a = -0.5;
        if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
        return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    }
}
