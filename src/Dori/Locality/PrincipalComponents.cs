using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.LinearAlgebra.Factorization;

namespace Dori.Locality;

/// <summary>Vectors seen along the directions in which they vary most.</summary>
/// <param name="Points">Coordinates on the first two components, one a vector, in the vectors' units</param>
/// <param name="Shares">Of the variance, that the two components hold; 0 to 1</param>
internal sealed record PrincipalComponents(IReadOnlyList<(double X, double Y)> Points, (double X, double Y) Shares)
{
    /// <summary>From distances alone (Torgerson 1952, Gower 1966). A component's sign is chosen so that its largest coordinate is
    /// positive.</summary>
    public static PrincipalComponents Of(DistanceMatrix distances)
    {
        int n = distances.Count;
        Evd<double> evd = Matrix<double>.Build.Dense(n, n, distances.CentredProducts(new int[n])).Evd(Symmetricity.Symmetric);
        double[] values = [.. evd.EigenValues.Select(value => Math.Max(0, value.Real))]; // ascending
        double total = values.Sum();
        (double[] first, double[] second) = (Component(1), Component(2));
        double Share(int rank) => n >= rank && total > 0 ? values[n - rank] / total : 0;
        return new PrincipalComponents([.. first.Zip(second)], (Share(1), Share(2)));

        double[] Component(int rank)
        {
            if (n < rank) return new double[n];
            double[] axis = [.. evd.EigenVectors.Column(n - rank)];
            double scale = Math.Sqrt(values[n - rank]) * Math.Sign(axis.MaxBy(Math.Abs));
            return [.. axis.Select(v => v * scale)];
        }
    }
}
